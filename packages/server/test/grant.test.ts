import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { type GrantOptions, signGrant, type SigningJwk, type SigningKey, UsageError } from '../src/index.js';

const es256 = { name: 'ECDSA', namedCurve: 'P-256' };
const terms: GrantOptions = { issuer: 'https://app.test', audience: 'wardwire', subject: 'alice', channel: 'chat/1', may: ['subscribe'], lifetime: 60 };
const pair = (algorithm: EcKeyGenParams | Algorithm) => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
const exported = async (key: CryptoKey): Promise<SigningJwk> => (await crypto.subtle.exportKey('jwk', key)) as SigningJwk;
const part = (grant: string, at: number): Record<string, unknown> => JSON.parse(Buffer.from(grant.split('.')[at] ?? '', 'base64url').toString()) as Record<string, unknown>;

test('a grant says what it is, for whom, for which channel and for how long, and a name by which it is taken back', async () => {
  const { privateKey, publicKey } = await pair(es256);
  const grant = await signGrant(privateKey, { ...terms, may: ['subscribe', 'publish'], kid: 'k1' });
  assert.deepEqual(part(grant, 0), { typ: 'wardwire-grant+jwt', alg: 'ES256', kid: 'k1' });
  const { iat, exp, jti, ...said } = part(grant, 1);
  assert.deepEqual(said, { iss: 'https://app.test', aud: 'wardwire', sub: 'alice', channels: { 'chat/1': ['subscribe', 'publish'] } });
  assert.equal(Number(exp) - Number(iat), 60);
  assert.match(String(jti), /^[0-9a-f-]{36}$/);
  const [signed, signature] = [grant.slice(0, grant.lastIndexOf('.')), grant.slice(grant.lastIndexOf('.') + 1)];
  const held = await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, publicKey, Buffer.from(signature, 'base64url'), Buffer.from(signed));
  assert.equal(held, true);
});

test('a JWK names the key and, for Ed25519, how its algorithm is called', async () => {
  const { privateKey } = await pair({ name: 'Ed25519' });
  const jwk = await exported(privateKey);
  delete (jwk as { alg?: string }).alg;
  assert.deepEqual(part(await signGrant(privateKey, terms), 0), { typ: 'wardwire-grant+jwt', alg: 'Ed25519' });
  assert.deepEqual(part(await signGrant({ ...jwk, kid: 'own' }, terms), 0)['kid'], 'own');
  assert.deepEqual(part(await signGrant({ ...jwk, kid: 'own' }, { ...terms, kid: 'given' }), 0)['kid'], 'given');
  assert.deepEqual(part(await signGrant({ ...jwk, alg: 'EdDSA' }, terms), 0)['alg'], 'EdDSA');
});

test('what no server would take is not signed', async () => {
  const { privateKey } = await pair(es256);
  const wrong: Record<string, unknown>[] = [
    ...[0, -1, 1.5, 3601, Number.NaN, Infinity, '60', undefined].map((lifetime) => ({ lifetime })),
    ...['', 'chat/*', 'chat/{id}', 'chat//1', ' chat', 'x'.repeat(256), undefined, ['chat/1'], 'a\ud800'].map((channel) => ({ channel })),
    ...[[], ['admin'], ['subscribe', 'Publish'], 'subscribe', undefined, [undefined]].map((may) => ({ may })),
    ...['', 'x'.repeat(256), 'ö'.repeat(128), 7, null, undefined, '\udc00'].map((subject) => ({ subject })),
    ...['', undefined, 7].flatMap((it) => [{ issuer: it }, { audience: it }]),
    ...['', 'x'.repeat(256)].map((id) => ({ id })),
    ...['', 'x'.repeat(257)].map((kid) => ({ kid })),
    ...['Kid', 'jti'].map((name) => ({ [name]: 'k' })),
  ];
  for (const it of wrong) await assert.rejects(signGrant(privateKey, { ...terms, ...it } as GrantOptions), UsageError, inspect(it));
  for (const none of [undefined, null, 7, 'terms']) await assert.rejects(signGrant(privateKey, none as unknown as GrantOptions), UsageError, inspect(none));
  await assert.rejects(signGrant(privateKey, { ...terms, issuer: 'x'.repeat(8192) }), { code: 'message-too-large' });
  await signGrant(privateKey, { ...terms, lifetime: 3600, channel: `chat/${'x'.repeat(250)}`, subject: 'x'.repeat(255) });
});

test('no other key signs, and none is told', async () => {
  const { privateKey, publicKey } = await pair(es256);
  const jwk = await exported(privateKey);
  const secret = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
  const p384 = (await pair({ name: 'ECDSA', namedCurve: 'P-384' })).privateKey;
  const verifies = await exported(publicKey);
  const wrong: unknown[] = [
    ...[publicKey, secret, p384, verifies, await exported(secret), await exported(p384), null, undefined, 'key', {}],
    ...[{ ...jwk, d: 'AAAA' }, { ...jwk, crv: 'P-384' }, { ...jwk, use: 'enc' }, { ...jwk, alg: 'ES384' }, { ...jwk, alg: 'HS256' }, { ...jwk, d: undefined }],
  ];
  for (const key of wrong) {
    await assert.rejects(signGrant(key as SigningKey, terms), (reason) => {
      assert.ok(reason instanceof UsageError && reason.code === 'key', inspect(key));
      assert.ok(!inspect(reason, { showHidden: true }).includes(jwk.d as string));
      return true;
    });
  }
});
