// The issuer's keys, made anew for each run: of each kind that a token may be signed by, and some that must verify nothing.

import { generateKeyPairSync, KeyObject } from 'node:crypto'

import { exportJWK, generateKeyPair } from 'jose'

/** Which key signs by which algorithm; two RSA keys fit RS256, so that such a token has to say which. */
export const signers = {
  ES256: ['es256'],
  ES384: ['es384'],
  Ed25519: ['ed'],
  EdDSA: ['ed'],
  PS256: ['rsa'],
  PS384: ['rsa'],
  PS512: ['rsa'],
  RS256: ['rs256', 'rsa'],
  RS384: ['rsa'],
  RS512: ['rsa']
}

const made = {
  es256: { by: 'ES256', says: { alg: 'ES256', use: 'sig' } },
  es384: { by: 'ES384', says: { alg: 'ES384', key_ops: ['verify'] } },
  ed: { by: 'EdDSA', says: {} },
  rs256: { by: 'RS256', says: { alg: 'RS256', use: 'sig' } },
  rsa: { by: 'PS256', says: {} },
  // In the set, and no use.
  encrypting: { by: 'ES256', says: { use: 'enc' } },
  signing: { by: 'ES256', says: { key_ops: ['sign'] } },
  short: { by: 'RS256', says: { alg: 'RS256' }, modulusLength: 1024 },
  other: { by: 'ES512', says: { alg: 'ES512' } },
  leaked: { by: 'ES256', says: {}, leaked: true },
  // Not in the set.
  stranger: { by: 'ES256' },
  'stranger-rsa': { by: 'RS256' }
}

/** Keys that are in the set and must verify nothing. */
export const useless = ['encrypting', 'signing', 'short', 'other', 'leaked']

/** `{ keys: { KID: { privateKey, jwk, by } }, set }`: each key as Node's own object, and the set that is published. */
export async function makeKeys () {
  const keys = {}
  const set = { keys: [] }
  for (const [kid, { by, says, leaked, modulusLength }] of Object.entries(made)) {
    const pair = modulusLength
      // Shorter than jose makes any.
      ? generateKeyPairSync('rsa', { modulusLength })
      : await generateKeyPair(by, { extractable: true })
    const jwk = { ...(await exportJWK(leaked ? pair.privateKey : pair.publicKey)), kid, ...says }
    const privateKey = pair.privateKey instanceof KeyObject ? pair.privateKey : KeyObject.from(pair.privateKey)
    keys[kid] = { privateKey, jwk, by }
    if (says) set.keys.push(jwk)
  }
  return { keys, set }
}
