// Tokens, good and spoilt: what a case is depends on the seed and its number alone; keys, signatures and dates are of the run.

import { constants, createPublicKey, createHmac, sign as signBytes } from 'node:crypto'

import { CompactSign } from 'jose'

import { signers, useless } from './keys.mjs'

const json = JSON.stringify
const base64url = (bytes) => Buffer.from(bytes).toString('base64url')

export const issuer = 'https://id.test'
export const audience = 'wardwire'

/** A case: `{ token, spoilt }`, the names of what was done to it; `as` is the class of differences each may fall into. */
export async function make (seed, number, keys) {
  const random = generator(seed, number)
  const alg = pick(random, Object.keys(signers))
  const kid = pick(random, signers[alg])
  const now = Date.now() / 1000
  const draft = {
    random,
    now,
    keys,
    number,
    key: kid,
    signed: alg,
    header: { alg, typ: 'at+jwt', kid },
    claims: {
      iss: issuer, aud: audience, sub: `u${number}`, iat: Math.floor(now) - below(random, 60),
      exp: Math.floor(now) + 60 + below(random, 3600), jti: `j${number}`, rooms: ['lobby']
    },
    // What is written in the place of the header's and the claims' JSON, how both are encoded, and what is done in the end.
    write: { header: json, claims: json },
    encode: { header: base64url, claims: base64url },
    after: []
  }
  const count = pick(random, [0, 1, 1, 1, 1, 1, 2, 2])
  const chosen = Array.from({ length: count }, () => pick(random, changes))
  for (const { spoil } of chosen) spoil(draft)
  return { token: await finish(draft), spoilt: chosen.map(({ name, as }) => ({ name, as })) }
}

/** By jose where it signs what is asked for, else by hand. */
async function finish (draft) {
  const { header, claims, key, signed, keys } = draft
  let token = null
  if (!draft.byHand) {
    const bytes = Buffer.from(json(claims))
    token = await new CompactSign(bytes).setProtectedHeader(header).sign(keys[key].privateKey).catch(() => null)
  }
  if (token === null) {
    const parts = [
      draft.encode.header(draft.write.header(header)),
      draft.encode.claims(draft.write.claims(claims))
    ].join('.')
    token = `${parts}.${base64url(signature(signed, keys[key], Buffer.from(parts)))}`
  }
  return draft.after.reduce((it, change) => change(it), token)
}

/** What the key signs by an algorithm's name, or by its own where the name is of another kind of key. */
function signature (alg, { privateKey, by }, bytes) {
  const type = privateKey.asymmetricKeyType
  const fits = { ES: 'ec', Ed: 'ed25519', PS: 'rsa', RS: 'rsa' }[String(alg).slice(0, 2)] === type
  const name = fits ? alg : by
  if (type === 'ed25519') return signBytes(null, bytes, privateKey)
  const padding = name.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {}
  return signBytes(`sha${name.slice(2)}`, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363', ...padding })
}

// Chance.

/** Numbers from 0 to 1, the same for the same seed and number (mulberry32). */
function generator (seed, number) {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
const below = (random, limit) => Math.floor(random() * limit)
const pick = (random, list) => list[below(random, list.length)]

// What is done to a token. A value may be a function of the draft.

const changes = []

/** `as` names the class of differences in `differences.mjs`; without one both verdicts have to be the same. */
function change (name, spoil, as) {
  changes.push({ name, spoil, as })
}

function members (where, member, values, as) {
  for (const value of values) {
    const told = value === undefined ? 'missing' : typeof value === 'function' ? value.name || 'of its own' : json(value)
    const spoil = (draft) => {
      const set = typeof value === 'function' ? value(draft) : value
      if (set === undefined) delete draft[where][member]
      else draft[where][member] = set
    }
    change(`${where} ${member}: ${told.slice(0, 40)}`, spoil, as)
  }
}
const header = (member, values, as) => members('header', member, values, as)
const claim = (member, values, as) => members('claims', member, values, as)

/** Changes the text of one part's JSON. */
function text (name, edit, as) {
  for (const where of ['header', 'claims']) {
    change(`${where}: ${name}`, (draft) => {
      const before = draft.write[where]
      draft.write[where] = (it) => edit(String(before(it)))
      draft.byHand = true
    }, as)
  }
}

/** Changes how one part is spelt. The signature is made of that, so that it holds. */
function spelling (name, edit, as) {
  for (const where of ['header', 'claims']) {
    change(`${where}: ${name}`, (draft) => {
      const before = draft.encode[where]
      draft.encode[where] = (it) => edit(before(it), draft)
      draft.byHand = true
    }, as)
  }
}

/** Changes the signature's bytes, or what else there is. */
function signatures (name, edit, as) {
  change(`signature: ${name}`, (draft) => draft.after.push((token) => {
    const [head, body, last = ''] = token.split('.')
    return `${head}.${body}.${edit(last, draft)}`
  }), as)
}
const bytes = (edit) => (last, draft) => base64url(edit(Buffer.from(last, 'base64url'), draft))

function edited (name, edit, as) {
  change(`edited: ${name}`, (draft) => draft.after.push((token) => edit(token, draft)), as)
}

/** A date so many seconds after the whole one that is now. */
const second = (by) => ({ [`${by} s from now`]: ({ now }) => Math.floor(now) + by })[`${by} s from now`]
/** A date within this second that has been. */
const justNow = ({ now, random }) => now - random() * (now % 1)
const day = 86400
const nested = (depth) => Array.from({ length: depth }).reduce((inner) => [inner], 0)
const flag = (draft) => `_${draft.number}`

// The header.

header('alg', ['none', 'NONE', 'nOnE', 'es256', 'Es256', 'HS256', 'ES512', 'ES256K', 'EdDSA', 'PS256', 'RS256', 'ES384', '',
  undefined, null, 7, ['ES256'], { a: 1 }, ' ES256', 'RS1', 'ML-DSA-44', 'dir', 'constructor'])
header('typ', ['AT+JWT', 'application/at+jwt', 'Application/At+Jwt', 'JWT', 'jwt', undefined, '', 'at+jwt ', 'text/at+jwt',
  'application/application/at+jwt', 'at', 'logout+jwt', 'dpop+jwt', 'id_token', 7, null, ['at+jwt']])
header('kid', [undefined], 'leaked')
change('no kid where a private key of that kind was published too', (draft) => {
  Object.assign(draft, { key: 'es256', signed: 'ES256' })
  draft.header = { alg: 'ES256', typ: 'at+jwt' }
}, 'leaked')
header('kid', ['unknown', '', 'ES256', '../../etc/passwd', "' OR 1=1 --", 'es256', 'es384', 'rsa', 'x'.repeat(257),
  '\u0000', ...useless, '__proto__', 'é'])
header('kid', [7, null, true, ['es256'], { kid: 'es256' }])
header('crit', [[], ['exp'], ['b64', 'exp'], 'b64', null, true, ['crit'], ['alg'], [7], {}])
change('header crit: b64, which is true', (draft) => Object.assign(draft.header, { crit: ['b64'], b64: true }), 'crit')
change('header crit: b64, which is false', (draft) => Object.assign(draft.header, { crit: ['b64'], b64: false }))
header('b64', [false, 'x'])
header('cty', ['JWT', 7])
header('zip', ['DEF'])
header('jku', ['https://evil.example/keys', 7])
header('x5u', ['https://evil.example/chain'])
header('x5c', [['MIIB'], 'MIIB'])
header('x5t#S256', ['A'.repeat(43)])
header('jwk', [({ keys }) => keys.stranger.jwk, {}, 7])
header('note', [nested(20), 'é', '\ud83d\ude00', 1e300, '__proto__'])
header('note', [nested(40)], 'depth')
change('signed by a stranger whose key the header brings', (draft) => {
  draft.key = 'stranger'
  draft.signed = 'ES256'
  draft.header = { alg: 'ES256', typ: 'at+jwt', jwk: draft.keys.stranger.jwk }
})
for (const [key, alg] of [['stranger', 'ES256'], ['stranger-rsa', 'RS256'], ['stranger-rsa', 'PS384']]) {
  change(`signed by a stranger, ${alg}`, (draft) => {
    Object.assign(draft, { key, signed: alg })
    Object.assign(draft.header, { alg, kid: draft.random() < 0.5 ? pick(draft.random, signers[alg]) : key })
  })
}
for (const key of useless) {
  change(`signed by the key ${key}`, (draft) => {
    const { by } = draft.keys[key]
    Object.assign(draft, { key, signed: by })
    Object.assign(draft.header, { alg: by, kid: key })
  })
}
for (const alg of ['ES256', 'ES384', 'PS256', 'PS512', 'RS256', 'RS512', 'EdDSA', 'Ed25519']) {
  change(`signed by another algorithm than ${alg}`, (draft) => {
    draft.header.alg = alg
    draft.byHand = true
  })
}
for (const [alg, hash] of [['HS256', 'sha256'], ['HS384', 'sha384'], ['HS512', 'sha512']]) {
  for (const form of ['pem', 'der', 'n']) {
    change(`${alg} with a public key as the secret, ${form}`, (draft) => {
      draft.header.alg = alg
      draft.after.push((token) => {
        const { jwk } = draft.keys[draft.key]
        const { d: _, ...half } = jwk
        const key = createPublicKey({ key: half, format: 'jwk' })
        const secret = {
          pem: () => key.export({ type: 'spki', format: 'pem' }),
          der: () => key.export({ type: 'spki', format: 'der' }),
          n: () => Buffer.from(jwk.n ?? jwk.x, 'base64url')
        }[form]()
        const signed = token.slice(0, token.lastIndexOf('.'))
        return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`
      })
    })
  }
}

// Claims.

claim('iss', ['https://evil.example', `${issuer}/`, 'https://ID.test', undefined, '', 7, null, [issuer], { iss: issuer }])
claim('aud', ['other', undefined, [], [audience], ['other', audience], [audience, audience], 'WARDWIRE', `${audience} `, '', 7,
  null, {}, true, [[audience]], ['other', 'another'], Array.from({ length: 200 }, (_, i) => `a${i}`),
  [...Array.from({ length: 200 }, (_, i) => `a${i}`), audience]])
claim('aud', [[7, audience], [audience, null], [audience, {}]], 'audience')
claim('sub', [undefined, (draft) => `é${flag(draft)}`, (draft) => flag(draft).padEnd(255, 'x'), (draft) => `\u0000${flag(draft)}`,
  (draft) => `a b:c/${flag(draft)}`])
claim('sub', ['', 7, null, {}, ['a'], 'x'.repeat(256), 'é'.repeat(128)], 'names')
claim('jti', [undefined, (draft) => flag(draft).padEnd(255, 'x')])
claim('jti', ['', 7, null, 'x'.repeat(256)], 'names')
claim('sid', [(draft) => `s${flag(draft)}`])
claim('sid', ['', 7, null, 'x'.repeat(256)], 'names')
claim('acr', ['mfa'])
claim('acr', ['', 7, null], 'names')
claim('amr', [['pwd', 'otp'], []])
claim('amr', ['pwd', null, [7], Array(33).fill('a')], 'names')
claim('auth_time', [second(-60), 0])
claim('auth_time', ['now', null, -1, 1e300], 'names')
claim('auth_time', [second(600)], 'future')

// Dates, to the second and to its parts.
const near = [-3600, -10, -1, 0, 1, 2, 10].map(second)
claim('exp', [undefined, '9999999999', null, true, {}, [], -1, 0, 1, ({ now }) => now + 600.25, ...near])
claim('exp', [1e300, 253402300800], 'dates')
claim('exp', [second(2 * day), second(day + 120)], 'lifetime')
claim('nbf', ['0', null, true, {}, 0, 0.5, 1e300, second(600), ...near])
claim('nbf', [-1], 'dates')
claim('iat', [undefined, 'now', null, true, {}, second(0), second(-1), second(-3600)])
claim('iat', [-1, 1e300, 253402300800], 'dates')
claim('iat', [second(600), second(3)], 'future')
claim('iat', [0, second(-2 * day)], 'lifetime')
for (const member of ['exp', 'nbf']) claim(member, [justNow], 'fractions')

claim('nonce', ['n', null], 'kinds')
claim('at_hash', ['h'], 'kinds')
claim('events', [{ 'http://schemas.openid.net/event/backchannel-logout': {} }, {}], 'kinds')
claim('cnf', [{ jkt: 'k' }, { 'x5t#S256': 'A'.repeat(43) }, { 'x5t#S256': 'short' }, {}, null, 'k', { jwk: {} }], 'binding')

claim('rooms', [undefined, null, 'lobby', { lobby: true }, ['\u0000', 'é', '\ud83d\ude00'], nested(20), 2 ** 60, -0, 0.1])
claim('rooms', [nested(31)])
claim('rooms', [nested(32), nested(500)], 'depth')
claim('token_use', ['access_token', 'id'])
claim('pad', ['x'.repeat(1000), 'x'.repeat(5000)])
claim('pad', ['x'.repeat(6000), 'x'.repeat(7000), 'x'.repeat(9000)], 'size')
claim('constructor', [{}, 7])
claim('toString', ['x'])

// JSON as it should not be, and as it may be.

const inside = (more) => (it) => it.replace(/}$/, `,${more}}`)
text('white space', (it) => ` ${it.replaceAll('":', '" :\t').replaceAll(',', ',\r\n')}\n`)
text('a name with an escape', (it) => it.replace('"', '"\\u00').replace(/\\u00(.)/, (_, first) => `\\u00${first.charCodeAt(0).toString(16)}`))
for (const [name, edit] of [
  ['something behind it', (it) => `${it}x`], ['two of them', (it) => it + it], ['cut off', (it) => it.slice(0, -1)],
  ['a comma too many', (it) => it.replace(/}$/, ',}')], ['single quotes', (it) => it.replaceAll('"', "'")],
  ['a comment', (it) => it.replace(/}$/, '/* */}')], ['in an array', (it) => `[${it}]`], ['in a string', (it) => json(it)],
  ['empty', () => ''], ['{}', () => '{}'], ['null', () => 'null'], ['a number', () => '7'], ['a NUL behind it', (it) => `${it}\u0000`],
  ['NaN', inside('"x":NaN')], ['a leading zero', inside('"x":01')], ['a plus', inside('"x":+1')], ['a tab in a string', inside('"x":"\t"')],
  ['an unknown escape', inside('"x":"\\x41"')], ['__proto__', inside('"__proto__":{"alg":"none","exp":1}')]
]) text(name, edit)
text('a member twice', inside('"x":1,"x":1'), 'twice')
text('a member twice, deep inside', inside('"x":[{"a":{"b":1,"b":2}}]'), 'twice')
text('a member twice, spelt otherwise', inside('"x":1,"\\u0078":2'), 'twice')
text('its first member twice', (it) => it.replace(/^\{("[^"]+":(?:"[^"]*"|\d+))/, '{$1,$1'), 'twice')
change('header: another alg before its own', (draft) => {
  draft.byHand = true
  draft.write.header = (it) => json(it).replace('{', '{"alg":"none",')
}, 'twice')
for (const [name, value] of [['iss', '"https://evil.example"'], ['exp', '1'], ['aud', '"other"'], ['sub', '"root"']]) {
  change(`claims: another ${name} before its own`, (draft) => {
    draft.byHand = true
    draft.write.claims = (it) => json(it).replace('{', `{"${name}":${value},`)
  }, 'twice')
}
text('a byte order mark', (it) => `\ufeff${it}`, 'unicode')
text('half a surrogate pair', inside('"x":"\\ud800"'), 'unicode')
text('bytes that are not UTF-8', (it) => Buffer.concat([Buffer.from(it.replace(/}$/, ',"x":"')), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}')]))
text('UTF-16', (it) => Buffer.from(it, 'utf16le'))
text('a number out of range', inside('"x":1e999'), 'range')
change('claims exp: 1e999', (draft) => {
  draft.byHand = true
  draft.write.claims = (it) => json(it).replace(/"exp":[^,}]+/, '"exp":1e999')
}, 'range')
change('claims exp: written with an exponent', (draft) => {
  draft.byHand = true
  draft.write.claims = (it) => json(it).replace(/"exp":([0-9]+)/, (_, at) => `"exp":${at[0]}.${at.slice(1)}E${at.length - 1}`)
})

// base64url, and its parts.

const unusedBits = (it) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return it.length % 4 < 2 ? `${it}A` : it.slice(0, -1) + alphabet[alphabet.indexOf(it.at(-1)) + 1]
}
const padded = (it) => it.padEnd(Math.ceil((it.length + 1) / 4) * 4, '=')
/** A space where it does no harm: HTTP takes those at the end of a header's value away. */
const spaced = (it) => `${it.slice(0, 9)} ${it.slice(9)}`
const standard = (it) => it.replaceAll('-', '+').replaceAll('_', '/')
spelling('padded', padded, 'spelling')
spelling('a space inside', spaced, 'spelling')
spelling('bits that mean nothing', unusedBits, 'spelling')
spelling('in the standard alphabet', standard)
spelling('one character too many', (it) => `${it}A`)
spelling('a character of neither', (it) => `${it}!`)
spelling('empty', () => '')
signatures('padded', padded, 'spelling')
signatures('a space inside', spaced, 'spelling')
signatures('bits that mean nothing', unusedBits, 'spelling')
signatures('in the standard alphabet', standard)
signatures('empty', () => '')
signatures('one bit', bytes((it, { random }) => {
  it[below(random, it.length)] ^= 1 << below(random, 8)
  return it
}))
signatures('cut off', bytes((it, { random }) => it.subarray(0, below(random, it.length))))
signatures('a byte more', bytes((it) => Buffer.concat([it, Buffer.from([0])])))
signatures('a zero before', bytes((it) => Buffer.concat([Buffer.from([0]), it])))
signatures('all zero', bytes((it) => Buffer.alloc(it.length)))
signatures('all ones', bytes((it) => Buffer.alloc(it.length, 0xff)))
signatures('its halves changed over', bytes((it) => Buffer.concat([it.subarray(it.length / 2), it.subarray(0, it.length / 2)])))
signatures('in DER', bytes((it) => {
  const half = (part) => [2, part.length + 1, 0, ...part]
  const inner = [...half(it.subarray(0, it.length / 2)), ...half(it.subarray(it.length / 2))]
  return Buffer.from([0x30, inner.length & 0xff, ...inner])
}))

// The orders of the groups (SEC 2 §2.4.2, RFC 8032 §5.1).
const P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const L25519 = 2n ** 252n + 27742317777372353535851937790883648493n
const whole = (it) => BigInt(`0x${it.toString('hex')}`)
const wide = (it, length) => Buffer.from(it.toString(16).padStart(2 * length, '0'), 'hex')
change('signature: its mirror image, which holds as well (ECDSA)', (draft) => {
  Object.assign(draft, { key: 'es256', signed: 'ES256' })
  Object.assign(draft.header, { alg: 'ES256', kid: 'es256' })
  draft.after.push((token) => {
    const [head, body, last] = token.split('.')
    const it = Buffer.from(last, 'base64url')
    const mirrored = wide(P256 - whole(it.subarray(32)), 32)
    return `${head}.${body}.${base64url(Buffer.concat([it.subarray(0, 32), mirrored]))}`
  })
})
change('signature: with the order added to it (Ed25519)', (draft) => {
  Object.assign(draft, { key: 'ed', signed: 'EdDSA' })
  Object.assign(draft.header, { alg: 'EdDSA', kid: 'ed' })
  draft.after.push((token) => {
    const [head, body, last] = token.split('.')
    const it = Buffer.from(last, 'base64url')
    const sum = whole(Buffer.from(it.subarray(32)).reverse()) + L25519
    return `${head}.${body}.${base64url(Buffer.concat([it.subarray(0, 32), wide(sum, 32).reverse()]))}`
  })
})

edited('cut off', (it, { random }) => it.slice(0, 1 + below(random, it.length - 1)))
edited('a character changed', (it, { random }) => {
  const at = below(random, it.length)
  return it.slice(0, at) + pick(random, [...'AZaz09-_'].filter((other) => other !== it[at])) + it.slice(at + 1)
}, 'spelling')
edited('a character left out', (it, { random }) => {
  const at = below(random, it.length)
  return it.slice(0, at) + it.slice(at + 1)
})
edited('a character twice', (it, { random }) => {
  const at = below(random, it.length)
  return it.slice(0, at) + it[at] + it.slice(at)
})
edited('in lower case', (it) => it.toLowerCase())
edited('backwards', (it) => [...it].reverse().join(''))
edited('without a signature', (it) => it.slice(0, it.lastIndexOf('.')))
edited('without its last dot', (it) => it.slice(0, it.lastIndexOf('.')) + it.slice(it.lastIndexOf('.') + 1))
edited('a fourth part', (it) => `${it}.${it.slice(-8)}`)
edited('as encrypted ones look', (it) => `${it}.AAAA.AAAA`)
edited('an empty part before', (it) => `.${it}`)
edited('a dot behind', (it) => `${it}.`)
edited('twice', (it) => it + it)
edited('a part twice', (it) => it.replace('.', '..'))
edited('in quotes', (it) => `"${it}"`)
edited('its parts changed over', (it) => it.split('.').reverse().join('.'))
edited('other claims under its signature', (it) => {
  const [head, body, last] = it.split('.')
  const claims = Buffer.from(body, 'base64url').toString().replace('"u', '"root')
  return `${head}.${base64url(claims)}.${last}`
})
edited('another header over its signature', (it) => {
  const [, body, last] = it.split('.')
  return `${base64url(json({ alg: 'none', typ: 'at+jwt' }))}.${body}.${last}`
})
