// `@wardwire/server` against a real server: what it asks, what it is refused, and grants that a user's client shows.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { SignJWT } from 'jose';
import { Agent, fetch as undici, WebSocket } from 'undici';

import { bearer, CallError as ClientError, connect } from '../../packages/client/dist/index.js';
import { Backend, CallError, RefusedError, signGrant, UsageError } from '../../packages/server/dist/index.js';
import { ownServer } from './own-server.mjs';

const token = 'fedcba9876543210fedcba9876543210';
const es256 = { name: 'ECDSA', namedCurve: 'P-256' };
const configuration = `
origins = ["https://app.test"]
[backend]
token_files = ["backend.token"]
[[issuer]]
issuer = "https://id.test"
audience = "wardwire"
jwks_file = "id.json"
[[issuer]]
issuer = "https://app.test"
signs = ["grants"]
audience = "wardwire"
jwks_file = "app.json"
[[route]]
path = "/live"
native_clients = true
[[channel]]
name = "notices/{user}"
subscribe = "authenticated"
publish = "server"
schema = "notice.json"
history = { size = 10, ttl = "1h", read = "server" }
presence = { see = "server" }
[[channel]]
name = "bytes"
subscribe = "authenticated"
publish = "server"
binary = true
history = { size = 10, ttl = "1h", read = "server" }
[[channel]]
name = "theirs"
subscribe = "authenticated"
publish = "authenticated"
[[channel]]
name = "room/{id}"
subscribe = "granted"
publish = "granted"
history = { size = 10, ttl = "1h", read = "granted" }
presence = { see = "granted" }
[[channel]]
name = "free/{id}"
publish = "server"
`;
const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } };

let server;
let origin;
let dispatcher;
let people;
let keys;

/** A pair of keys, its public half under a name. */
async function pair(kid, algorithm) {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return { privateKey, publicKey, published: { kty, crv, x, ...(y && { y }), kid } };
}

before(async () => {
  people = await pair('p', es256);
  keys = { es: await pair('es', es256), ed: await pair('ed', { name: 'Ed25519' }) };
  server = await ownServer(configuration, {
    'backend.token': `${token}\n`,
    'notice.json': JSON.stringify(schema),
    'id.json': JSON.stringify({ keys: [people.published] }),
    'app.json': JSON.stringify({ keys: [keys.es.published, keys.ed.published] }),
  });
  origin = `https://localhost:${server.port}`;
  dispatcher = new Agent({ connect: { ca: readFileSync(server.ca) } });
});

after(async () => {
  await dispatcher?.close();
  await server?.stop();
});

/** Node's own `fetch` and `WebSocket`, which trust the certificate of this run. */
const trusting = (url, init) => undici(url, { ...init, dispatcher });
class TrustingWebSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, { protocols, dispatcher });
  }
}

const backend = (options = {}) => new Backend(origin, { token, fetch: trusting, ...options });

function user(t, name) {
  const access = () =>
    new SignJWT({ client_id: 'test', jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'p' })
      .setIssuer('https://id.test')
      .setAudience('wardwire')
      .setSubject(name)
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(people.privateKey);
  const wire = connect(`wss://localhost:${server.port}/live`, { auth: bearer(access), platform: { WebSocket: TrustingWebSocket, fetch: trusting } });
  t.after(() => wire.close());
  return wire;
}

/** What the audit log has about a request. */
const audited = (trace) =>
  readFileSync(join(server.folder, 'audit.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(trace))
    .map((line) => JSON.parse(line));

test('what a backend publishes is heard by its users, once for each id, and kept', async (t) => {
  const room = user(t, 'alice').channel('notices/alice');
  const heard = room.messages();
  await room.subscribe();
  const said = await backend().publish('notices/alice', { text: 'Grüße 🛰️' }, { id: 'n1' });
  assert.equal(said.duplicate, false);
  const { value } = await heard.next();
  assert.deepEqual([value.data, value.from, value.id, value.position], [{ text: 'Grüße 🛰️' }, null, 'n1', said.position]);
  assert.deepEqual(await backend().publish('notices/alice', { text: 'again' }, { id: 'n1' }), { ...said, duplicate: true });
  const second = await backend().publish('notices/alice', { text: 'two' });
  const page = await backend().history('notices/alice', { limit: 1 });
  assert.deepEqual(page, { publications: [{ data: { text: 'two' }, position: second.position, from: null, id: null }], position: second.position, more: true, complete: true });
  const { publications } = await backend().history('notices/alice', { before: second.position });
  assert.deepEqual(publications.map(({ id }) => id), ['n1']);
  assert.deepEqual((await backend().history('notices/alice', { after: second.position })).publications, []);
  const { members, ...counted } = await backend().presence('notices/alice');
  assert.deepEqual(members.map(({ from, info }) => [from, info.size]), [['alice', 0]]);
  assert.deepEqual(counted, { count: 1, anonymous: 0, truncated: false });
  assert.deepEqual(await backend().presence('notices/alice', { countOnly: true }), { count: 1, anonymous: 0, members: [], truncated: true });
});

test('bytes are published and read as they are', async () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at % 256);
  await backend().publish('bytes', bytes);
  const { publications } = await backend().history('bytes');
  assert.deepEqual(publications.at(-1).data, bytes);
});

test('a batch is answered call by call, in its order, and one that fails stops no other', async () => {
  const [first, wrong, page, ended] = await backend().batch((calls) => [
    calls.publish('notices/batch', { text: '1' }),
    calls.publish('notices/batch', { text: 2 }),
    calls.history('notices/batch'),
    calls.revoke({ issuer: 'https://elsewhere.test', everything: true }),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert.ok(wrong.reason instanceof CallError);
  assert.deepEqual([wrong.reason.code, wrong.reason.rpc, wrong.reason.data.pointer, wrong.reason.data.keyword], ['invalid', -32008, '/text', 'type']);
  assert.deepEqual(page.value.publications.map(({ data }) => data), [{ text: '1' }]);
  assert.equal(ended.reason.code, 'params');
  const all = await backend().batch((calls) => Array.from({ length: 32 }, (_, n) => calls.publish('notices/many', { text: `${n}` })));
  assert.ok(all.every(({ status }) => status === 'fulfilled'));
});

test('what it may not is a typed error with what helps, and its trace is in the audit log', async () => {
  const refused = await backend().publish('theirs', 1).catch((error) => error);
  assert.ok(refused instanceof CallError);
  assert.deepEqual([refused.code, refused.rpc], ['forbidden', -32001]);
  assert.match(refused.message, /"server"/);
  assert.deepEqual(audited(refused.trace).map(({ reason, detail }) => [reason, detail]), [['forbidden', 'publish theirs']]);
  const stranger = await backend({ token: '0'.repeat(32) }).publish('free/1', 1).catch((error) => error);
  assert.ok(stranger instanceof RefusedError);
  assert.deepEqual([stranger.code, stranger.status], ['unauthenticated', 401]);
  assert.match(stranger.message, /backend\.token_files/);
  assert.equal(audited(stranger.trace).length, 1);
});

test('the largest request is taken, and one byte more is not sent', async () => {
  let sent = 0;
  const counting = backend({ fetch: (url, init) => ((sent = init.body.length), trusting(url, init)) });
  const text = (length) => counting.publish('free/large', 'x'.repeat(length));
  await text(10);
  const around = sent - 10;
  await text(256 * 1024 - around);
  assert.equal(sent, 256 * 1024);
  sent = 0;
  await assert.rejects(text(256 * 1024 - around + 1), { code: 'message-too-large' });
  assert.equal(sent, 0);
});

test('a user is signed out, by whom the token was issued to and until when', async (t) => {
  const wire = user(t, 'carol');
  await wire.channel('theirs').subscribe();
  const over = new Promise((resolve) => wire.on('state', (state) => state.kind === 'open' || resolve(state)));
  const issuedBefore = new Date();
  assert.deepEqual(await backend().revoke({ issuer: 'https://id.test', subject: 'carol', issuedBefore }), { ended: 1 });
  assert.equal((await over).reason.kind, 'signed-out');
});

for (const kind of ['es', 'ed']) {
  test(`a grant signed by ${kind} lets its user in, as far as it says, and is taken back by its id`, async (t) => {
    const channel = `room/${kind}`;
    const terms = { issuer: 'https://app.test', audience: 'wardwire', subject: 'alice', channel, lifetime: 60 };
    const room = user(t, 'alice').channel(channel);
    await assert.rejects(room.subscribe(), ClientError);
    const { privateKey } = keys[kind];
    const listens = await signGrant(privateKey, { ...terms, may: ['subscribe'], kid: kind });
    await assert.rejects(user(t, 'mallory').channel(channel).subscribe({ grant: listens }), { code: 'forbidden' });
    await room.subscribe({ grant: listens });
    await assert.rejects(room.publish('no'), { code: 'forbidden' });
    await room.unsubscribe();

    const jwk = { ...(await crypto.subtle.exportKey('jwk', privateKey)), kid: kind };
    const all = await signGrant(jwk, { ...terms, may: ['subscribe', 'publish', 'history', 'presence'], lifetime: 3600, id: `grant-${kind}` });
    await room.subscribe({ grant: all });
    await room.publish('yes');
    const revoked = new Promise((resolve) => room.on('state', (state) => state.kind === 'ended' && resolve(state.error)));
    await backend().revoke({ issuer: 'https://app.test', token: `grant-${kind}` });
    assert.equal((await revoked).code, 'revoked');
    await assert.rejects(room.subscribe({ grant: all }), { code: 'forbidden' });
  });
}

test('names of channels are refused here if, and only if, the server refuses them', async () => {
  const names = ['free/a b', 'free/räume', 'free/__proto__', 'free/<b>', 'free/❤', 'free/\u{e9}', 'free/👩🏽', 'free/\u{1f680}', `free/${'x'.repeat(250)}`];
  for (const name of names) await backend().publish(name, 1);
  const wrong = ['', '/', 'free/', '/free', 'free//b', 'free/..', 'free/.', 'free/*', 'free/{id}', 'free/?', 'free/#', 'free/%20', 'free/\\', 'free/ a', 'free/a ', 'free/e\u{301}', 'free/\u{212b}'];
  const unseen = ['\0', '\n', '\u{7f}', '\u{85}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2028}', '\u{2066}', '\u{61c}', '\u{feff}', '\u{e0041}', '\u{3164}', '\u{180e}', '\u{1d173}', '\u{fe0f}', '\u{e000}', '\u{378}', '\u{3000}', '\u{a0}'];
  for (const name of [...wrong, ...unseen.map((it) => `free/a${it}b`), `free/${'x'.repeat(251)}`, `free/${'ö'.repeat(126)}`]) {
    await assert.rejects(backend().publish(name, 1), UsageError, JSON.stringify(name));
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'publish', params: { channel: name, data: 1 } });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const { error } = await (await trusting(`${origin}/.wardwire/backend`, { method: 'POST', headers, body })).json();
    assert.equal(error.code, -32005, JSON.stringify(name));
  }
});
