/** Keys that sign grants: private ones for ES256 (RFC 7518 §3.4) or Ed25519 (RFC 8037, RFC 9864), by the platform's WebCrypto. */

import { UsageError } from './error.js';

/** A `CryptoKey`, in the words that every platform's types have. */
export interface SigningKey {
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
}

/** A private key as JSON (RFC 7517). */
export interface SigningJwk {
  readonly kty?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly d?: string;
  readonly alg?: string;
  readonly use?: string;
  readonly kid?: string;
}

/** What a grant is signed by. */
export interface Signer {
  readonly alg: string;
  readonly kid: string | undefined;
  sign(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
}

/** What signs by this key. Errors hold nothing of it. */
export async function signerOf(key: SigningKey | SigningJwk): Promise<Signer> {
  if (typeof key !== 'object' || key === null) throw unfit('It is neither a CryptoKey nor a JWK.');
  if ('usages' in key) return by(key as CryptoKey, undefined, undefined);
  return by(await imported(key), key.alg, key.kid);
}

function by(key: CryptoKey, named: string | undefined, kid: string | undefined): Signer {
  const { name, namedCurve } = key.algorithm as { readonly name: string; readonly namedCurve?: string };
  if (!key.usages.includes('sign')) throw unfit('It is no private key that may sign.');
  const sign = (params: AlgorithmIdentifier | EcdsaParams) => (bytes: Uint8Array<ArrayBuffer>) => crypto.subtle.sign(params, key, bytes);
  if (name === 'Ed25519') return { alg: named ?? name, kid, sign: sign(name) };
  if (name === 'ECDSA' && namedCurve === 'P-256') return { alg: 'ES256', kid, sign: sign({ name, hash: 'SHA-256' }) };
  throw unfit(`It is for ${name}${namedCurve === undefined ? '' : ` on ${namedCurve}`}.`);
}

/** Nothing but the key itself is handed on: runtimes judge the other members differently. */
async function imported({ kty, crv, x, y, d, alg, use }: SigningJwk): Promise<CryptoKey> {
  const kind = kinds.find((it) => it.kty === kty && it.crv === crv);
  if (kind === undefined) throw unfit('It is of another kind or curve.');
  if (d === undefined) throw unfit('It is the public half.');
  if ((use ?? 'sig') !== 'sig' || (alg !== undefined && !kind.algs.includes(alg))) throw unfit('It is for something else, by its `use` or `alg`.');
  const jwk = { kty, crv, x, d, ...(y !== undefined && { y }) } as JsonWebKey;
  try {
    return await crypto.subtle.importKey('jwk', jwk, kind.import, false, ['sign']);
  } catch {
    throw unfit('It cannot be read, or not by this runtime.');
  }
}

const kinds = [
  { kty: 'EC', crv: 'P-256', algs: ['ES256'], import: { name: 'ECDSA', namedCurve: 'P-256' } },
  { kty: 'OKP', crv: 'Ed25519', algs: ['Ed25519', 'EdDSA'], import: { name: 'Ed25519' } },
];

function unfit(why: string): UsageError {
  return new UsageError('key', { title: `This key signs no grants. ${why}` });
}
