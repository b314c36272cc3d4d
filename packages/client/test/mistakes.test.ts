/** What an application does wrong is told it where it does it, by a typed error that says what would be right. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, type Channel, connect, history, type Options, presence, remedyFor, SecureWebSocket, session, subscribeByGrant, tickets, UsageError, Wire } from '../src/index.js';
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
    [{ auth, backoff: 5 }, /`backoff`.*`baseMs`/],
    [{ auth, route: 7 }, /`route`.*path/],
    [{ auth, newTrace: 'a-trace' }, /`newTrace`.*function/],
    [{ auth, platform: 'node' }, /`platform`.*object/],
    [{ auth, platform: { ...ownSocket, clock: 7 } }, /`clock`.*`now`/],
    [{ auth, platform: { ...ownSocket, clock: null } }, /`clock`.*`now`/],
    [{ auth, platform: null }, /`platform`.*object/],
    [{ auth, backoff: null }, /`backoff`.*`baseMs`/],
    [{ auth, signal: null }, /`signal`.*AbortSignal/],
    [{ auth, signal: 7 }, /`signal`.*AbortSignal/],
    [{ auth, signal: new AbortController() }, /`signal`.*AbortSignal/],
    ...['fetch', 'random', 'surroundings', 'WebSocket'].map((name) => [{ auth, platform: { ...ownSocket, [name]: 7 } }, new RegExp(`\`(platform\\.)?${name}\`.*(function|constructor)`)] as const),
  ] as const) {
    assert.throws(() => connect(`${gate.origin}/live`, any(options && { platform: ownSocket, ...options })), says(about), JSON.stringify(options));
  }
  assert.equal(gate.seen.length, 0);
  assert.throws(() => tickets(any('a-ticket')), says(/function/));
  for (const [options, about] of [[{ signal: 7 }, /`signal`/], [{ auth: 'a-token' }, /`auth`/], [{ token: 'a-token' }, /`token`/], [{ route: 7 }, /`route`.*path/], [{ platform: { ...ownSocket, fetch: 7 } }, /`fetch`.*function/], [{ connectTimeoutMs: NaN }, /`connectTimeoutMs`/]] as const) {
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

test('listeners that are none, and events that there are not', () => {
  const client = gate.client();
  const room = client.channel('a');
  for (const source of [client, room] as { on(name: unknown, listener: unknown): unknown }[]) {
    for (const listener of [undefined, null, 'f', {}]) assert.throws(() => source.on('state', listener), says(/function/));
    for (const name of ['States', 'revoked', 'toString', undefined]) assert.throws(() => source.on(name, () => undefined), says(new RegExp(`\`${name}\`.*event`)));
  }
  // Each of the other.
  assert.throws(() => client.on(any('publication'), () => undefined), says(/event/));
  assert.throws(() => room.on(any('expiring'), () => undefined), says(/event/));
  assert.equal(room.state.kind, 'idle');
});

test('names that no channel has', () => {
  const client = gate.client();
  for (const name of ['', '/', '/a', 'a/', 'a//b', '.', 'a/.', '../a', 'a/../b', 'a\n', 'a\0b', 'a\x7f', 'a\x85', 'chat/{room}', 'chat/*', 'a?b', 'a#b', 'a%2Fb', 'a\\b', ' a', 'a ', 'a/ b', 'a\u3000', 'x'.repeat(256), '€'.repeat(86), 'e\u0301']) {
    assert.throws(() => client.channel(name), says(/`normalize\(\)`/), JSON.stringify(name));
  }
  for (const name of [undefined, null, 7, ['a']]) assert.throws(() => client.channel(any(name)), says(/name/), String(name));
});

test('every name that the server takes is one here too', () => {
  const client = gate.client();
  for (const name of ['a', 'a b', 'a/b c/d', '...', 'a/.b', 'a.', '.a', '..a/b', "!\"$&'()+,-.:;<=>@[]^_`|~", 'é', '\u0958'.normalize(), '한국', '🦀', 'x'.repeat(255), '€'.repeat(85), '🦀'.repeat(63), 'a/'.repeat(127) + 'b']) {
    assert.equal(client.channel(name).name, name);
  }
});

test('a token that is given as text', () => {
  for (const token of ['a-token', undefined, null, {}]) assert.throws(() => bearer(any(token)), says(/function.*fresh.*can not be renewed/));
});

test('options of a channel that are not what they should be', async () => {
  const client = gate.client();
  client.start();
  const peer = await gate.nextPeer();
  await reaches(client, 'open');
  const room: Channel = client.channel('a');
  for (const [call, about] of [
    [room.publish(1, any({ id: 7 })), /`id`.*text/],
    [room.subscribe(any({ since: 7 })), /`since`.*position/],
    [room.subscribe(any({ grant: {} })), /`grant`.*text/],
    [subscribeByGrant(room, any('a-grant')), /`grant`.*function/],
    [history(room, any({ limit: '10' })), /`limit`.*1 to 100/],
    [history(room, any({ limits: 10 })), /`limits`.*no option/],
    [presence(room, any({ countOnly: 'yes' })), /`countOnly`.*true or false/],
    [presence(room, any({ count: true })), /`count`.*no option/],
    [client.call(any(7)), /`method`.*text/],
    [client.call(any(undefined)), /`method`.*text/],
    ...[null, 7, 'a', ['a'], new Date(), { toJSON: () => 7 }].map((params) => [client.call('x', any(params)), /`params`.*object/] as const),
  ] as const) {
    await assert.rejects(call, says(about));
  }
  for (const signal of [7, 'signal', {}, new AbortController()].map((it) => ({ signal: any(it) }))) {
    for (const call of [room.publish(1, signal), room.subscribe({ since: 'e:1', ...signal }), history(room, signal), presence(room, signal), client.call('x', {}, signal), client.ping(signal), client.refresh('t', signal)]) {
      await assert.rejects(call, says(/`signal`.*AbortSignal/));
    }
    for (const listen of [() => client.on('state', () => assert.fail('heard'), signal), () => room.on('publication', () => undefined, signal), () => room.messages(signal)]) {
      assert.throws(listen, says(/`signal`.*AbortSignal/));
    }
    assert.deepEqual([room.state.kind, room.position], ['idle', null]);
  }
  for (const backlog of ['10', NaN, -1, 1.5, Infinity, null]) assert.throws(() => room.messages(any({ backlog })), says(/`backlog`.*whole number/), String(backlog));
  await client.ping();
  assert.deepEqual([peer.calls.map((call) => call.method), room.state.kind], [['ping'], 'idle']);
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
  // Which JSON makes an empty object of.
  const bytes = new ArrayBuffer(3);
  for (const data of [bytes, new DataView(bytes), new Blob(['x']), new Map([[1, 2]]), new Set([1]), new Error('x'), Promise.resolve(1), /x/]) {
    await assert.rejects(room.publish(data), { code: 'not-json' }, String(data));
  }
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
