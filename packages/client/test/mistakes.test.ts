/** What an application does wrong is told it where it does it, by a typed error that says what would be right. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, type Channel, connect, history, type Options, presence, remedyFor, SecureWebSocket, session, tickets, UsageError, Wire } from '../src/index.js';
import { Gate, ownSocket, reaches } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

/** A mistake, whose remedy names what was wrong. */
const says = (about: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UsageError, String(error));
  assert.equal(error.code, 'usage');
  assert.match(remedyFor(error), about);
  return true;
};
const any = (value: unknown): never => value as never;

test('an address that would carry or leak a credential, or is none', () => {
  for (const [url, about] of [
    ['ws://example.com/live', /wss:/],
    ['http://example.com/live', /https:/],
    ['wss://user@example.com/live', /user/],
    ['wss://example.com/live?access_token=abc', /query/],
    ['wss://example.com/live#token', /fragment/],
    ['javascript:alert(1)', /wss:/],
    ['/live', /page/],
    ['', /page/],
    [undefined, /page/],
  ] as const) {
    assert.throws(() => gate.client({}, any(url ?? null)), says(about), url);
  }
});

test('options that are not there, or not what they should be', () => {
  const auth = session();
  for (const [options, about] of [
    [undefined, /`auth`/],
    [{}, /`auth`/],
    [{ auth: 'a-token' }, /`auth`/],
    [{ auth: bearer }, /`auth`/],
    [{ auth, requestTimeoutMS: 5 }, /`requestTimeoutMS`/],
    [{ auth, platform: { websocket: class {} } }, /`websocket`/],
    [{ auth, requestTimeoutMs: Infinity }, /`requestTimeoutMs`/],
    [{ auth, publishTimeoutMs: NaN }, /`publishTimeoutMs`/],
    [{ auth, pingEveryMs: -1 }, /`pingEveryMs`/],
    [{ auth, connectTimeoutMs: '5' }, /`connectTimeoutMs`/],
    [{ auth, maxPending: 2 ** 40 }, /`maxPending`/],
    [{ auth, backoff: { baseMs: NaN, capMs: 1 } }, /`baseMs`/],
    [{ auth, backoff: { base: 5 } }, /`base`/],
  ] as const) {
    assert.throws(() => connect(`${gate.origin}/live`, any(options && { platform: ownSocket, ...options })), says(about), JSON.stringify(options));
  }
  assert.equal(gate.seen.length, 0);
  assert.throws(() => tickets(any('a-ticket')), says(/function/));
  for (const [options, about] of [[{ auth: 'a-token' }, /`auth`/], [{ token: 'a-token' }, /`token`/], [{ connectTimeoutMs: NaN }, /`connectTimeoutMs`/]] as const) {
    assert.throws(() => new SecureWebSocket(`${gate.origin}/echo`, [], any({ platform: ownSocket, ...options })), says(about));
  }
});

test('part of a back-off, and options that say nothing, leave the rest as it is', async (context) => {
  // What others put into prototypes is no option either.
  const everywhere = Object.prototype as { requestTimeoutMs?: unknown; unheardOf?: unknown };
  [everywhere.requestTimeoutMs, everywhere.unheardOf] = ['x', 'y'];
  context.after(() => (delete everywhere.requestTimeoutMs, delete everywhere.unheardOf));
  const options: Options = any({ auth: bearer(() => 't'), backoff: { capMs: 0 }, requestTimeoutMs: undefined });
  const client = gate.client(options);
  client.start();
  await reaches(client, 'open');
  assert.ok((await client.ping()) >= 0);
});

test('listeners that are none', () => {
  const client = gate.client();
  const room = client.channel('a');
  for (const source of [client, room] as { on(name: unknown, listener: unknown): unknown }[]) {
    for (const listener of [undefined, null, 'f', {}]) assert.throws(() => source.on('state', listener), says(/function/));
  }
  assert.equal(room.state.kind, 'idle');
});

test('calls that can not be meant, and those without a connection', async () => {
  const client = gate.client();
  const room: Channel = client.channel('a');
  await assert.rejects(room.publish(1), { code: 'disconnected' });
  client.start();
  await reaches(client, 'open');
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const data of [undefined, 1n, Symbol('s'), () => 1, cycle, { toJSON: () => undefined }]) await assert.rejects(room.publish(data), { code: 'not-json' });
  await assert.rejects(room.publish(new Uint8Array(2 ** 28)), { code: 'message-too-large' });
  for (const options of [{ before: 'e:1', after: 'e:2' }, { before: 'yesterday' }, { after: 7 }, { limit: 0 }, { limit: 101 }, { limit: 1.5 }]) {
    await assert.rejects(history(room, any(options)), says(/./), JSON.stringify(options));
  }
  await assert.rejects(room.subscribe({ since: 'yesterday' }), says(/since/));
  const signal = AbortSignal.abort('enough');
  for (const call of [room.publish(1, { signal }), room.subscribe({ signal }), history(room, { signal }), presence(room, { signal }), client.call('x', {}, { signal })]) {
    await assert.rejects(call, (reason) => reason === 'enough');
  }
  assert.equal((await room.messages({ signal }).next()).done, true);
  client.close();
  client.close();
  room.unsubscribe();
  room.unsubscribe();
  await assert.rejects(room.publish(1), { code: 'disconnected' });
});

test('a token that is none is the function’s fault, and nothing is asked with it', async () => {
  for (const token of [undefined, null, '', 'a b', 'a\nb', 'ü', 7]) {
    const client = gate.client({ auth: bearer(() => any(token)) });
    client.start();
    const { reason } = await reaches(client, 'waiting');
    assert.equal(reason.kind === 'refused' && reason.error.code, 'credential-function', String(token));
    client.close();
  }
  assert.equal(gate.seen.length, 0);
});

test('a page without a WebSocket is told what to pass', () => {
  const { WebSocket } = globalThis as { WebSocket?: unknown };
  Object.assign(globalThis, { WebSocket: undefined });
  try {
    assert.throws(() => new Wire('wss://example.com/live', { auth: session() }), says(/platform: \{ WebSocket \}/));
  } finally {
    Object.assign(globalThis, { WebSocket });
  }
});
