import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, Channel, history, type Options, presence, type Publication, remedyFor, session, type State, type SubscriptionState, WardwireError, type Wire } from '../src/index.js';
import { Followings } from '../src/following.js';
import { handClock } from './clock.js';
import { Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

async function open(options: Partial<Options> = {}): Promise<{ client: Wire; peer: Peer }> {
  const client = gate.client(options);
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await reaches(client, 'open');
  return { client, peer };
}

function next<T>(listen: (give: (value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve) => listen(resolve));
}

/** The next time that the channel is in such a state. */
function enters<Kind extends SubscriptionState['kind']>(room: Channel, kind: Kind): Promise<Extract<SubscriptionState, { kind: Kind }>> {
  return new Promise((resolve) => {
    const stop = room.on('state', (state) => {
      if (state.kind !== kind) return;
      stop();
      resolve(state as Extract<SubscriptionState, { kind: Kind }>);
    });
  });
}

const code = (expected: string) => (error: unknown) => error instanceof WardwireError && error.code === expected;

test('a subscription delivers, is taken up again where it was left, and says whether all was recovered', async () => {
  gate.answer = (call) => subscribed(call, 4);
  const { client, peer } = await open();
  const seen: unknown[] = [];
  const room = client.channel('chat/lobby');
  room.on('publication', (publication) => seen.push([publication.data, publication.position, publication.from]));
  await room.subscribe();
  const arrived = next<Publication>((give) => room.on('publication', give));
  peer.publish('chat/lobby', 'five', 5);
  await arrived;

  gate.answer = (call) => subscribed(call, 7, true, ['six', 'seven']);
  const again = enters(room, 'live');
  peer.socket.close(1012, 'restart');
  assert.deepEqual(await again, { kind: 'live', position: 'e:7', recovered: true });
  assert.deepEqual(seen, [
    ['five', 'e:5', 'bob'],
    ['six', 'e:6', 'bob'],
    ['seven', 'e:7', 'bob'],
  ]);
  assert.deepEqual(gate.peers[0]?.calls[0]?.params, { channel: 'chat/lobby' });
  assert.deepEqual(gate.peers[1]?.calls[0]?.params, { channel: 'chat/lobby', since: 'e:5' });

  gate.answer = (call) => subscribed(call, 1, false);
  const lost = enters(room, 'live');
  gate.peers[1]?.socket.close(1012, 'restart');
  assert.equal((await lost).recovered, false);
  const fresh = next<Publication>((give) => room.on('publication', give));
  gate.peers[2]?.publish('chat/lobby', 'two of a new count', 2);
  assert.equal((await fresh).position, 'e:2');
});

test('a publication that was already delivered is not delivered again', async () => {
  gate.answer = (call) => subscribed(call, 2, true, ['two']);
  const { client, peer } = await open();
  const room = client.channel('a');
  const seen: unknown[] = [];
  const last = next<void>((give) => {
    const done = (data: unknown): void => void (data === 'three' && give());
    void room.subscribe({ since: 'e:1' });
    room.on('publication', ({ data }) => (seen.push(data), done(data)));
  });
  await room.subscribe();
  peer.publish('a', 'two', 2);
  peer.publish('a', 'three', 3);
  await last;
  assert.deepEqual(peer.calls[0]?.params, { channel: 'a', since: 'e:1' });
  assert.deepEqual(seen, ['two', 'three']);
});

test('what is published in the very turn of the answer comes behind it, and what was missed before it', async () => {
  gate.answer = (call, peer) => {
    if (call.method !== 'subscribe') return {};
    const { _socket: wire } = peer.socket as unknown as { _socket: { cork(): void; uncork(): void } };
    wire.cork();
    peer.socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, result: subscribed(call, 4, true, ['three', 'four']) }));
    for (const offset of [5, 6]) peer.publish('a', offset, offset);
    wire.uncork();
    return undefined;
  };
  const { client } = await open();
  const room = client.channel('a');
  const seen: unknown[] = [];
  room.on('publication', ({ data }) => seen.push(data));
  await room.subscribe({ since: 'e:2' });
  await client.ping();
  assert.deepEqual([seen, room.position], [['three', 'four', 5, 6], 'e:6']);
});

test('a subscription made without a connection waits for one', async () => {
  gate.answer = (call) => subscribed(call, 0);
  const client = gate.client();
  const ready = client.channel('chat/lobby').subscribe();
  client.start();
  assert.equal((await ready).position, 'e:0');
});

test('a subscription without an answer is asked for again, over the next connection', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open({ requestTimeoutMs: 30 });
  const room = client.channel('a');
  room.on('state', ({ kind }) => assert.notEqual(kind, 'ended'));
  const asked = new Promise((resolve) => peer.socket.once('message', resolve));
  const ready = room.subscribe();
  await asked;
  // Once as the connection is lost, once as the server keeps silent.
  peer.socket.terminate();
  await reaches(client, 'waiting');
  await reaches(client, 'open');
  const { reason } = await reaches(client, 'waiting');
  assert.deepEqual(reason.kind === 'closed' && reason.word, 'dead');
  gate.answer = (call) => subscribed(call, 3);
  assert.equal((await ready).position, 'e:3');
});

test('forbidden is told plainly, at first and when the right was taken away later, and is not asked again', async () => {
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  const { client, peer } = await open();
  const room = client.channel('chat/lobby');
  await assert.rejects(room.subscribe(), code('forbidden'));
  await assert.rejects(room.publish('x'), (error: WardwireError) => error.rpc === -32001 && error.status === null);

  gate.answer = (call) => subscribed(call, 0);
  room.on('publication', () => undefined);
  await room.subscribe();
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  const gone = enters(room, 'ended');
  peer.socket.close(1012, 'restart');
  assert.equal((await gone).error.code, 'forbidden');
  gate.peers.at(-1)?.socket.close(1012, 'restart');
  await reaches(client, 'waiting');
  await reaches(client, 'open');
  await assert.rejects(client.ping(), code('forbidden'));
  assert.deepEqual(gate.peers.at(-1)?.calls.map((call) => call.method), ['ping']);
});

test('a channel that is refused for its rate is asked again, and not before its time', async () => {
  let asked = 0;
  gate.answer = () => {
    asked += 1;
    throw new RpcFailure(-32002, { word: 'rate', retryAfter: 7 });
  };
  const clock = handClock();
  const { client } = await open({ platform: { clock, random: () => 0 } });
  const room = client.channel('a');
  const ready = room.subscribe();
  for (let round = 1; round < 5; round += 1) {
    await enters(room, 'waiting');
    assert.deepEqual([asked, clock.waits.includes(7000)], [round, true]);
    if (round === 4) gate.answer = (call) => subscribed(call, 3);
    clock.fire(7000);
  }
  assert.equal((await ready).position, 'e:3');
});

test('a subscription that the server takes back ends with the reason, and is asked for anew only by the application', async () => {
  gate.answer = (call) => subscribed(call, 3);
  const { client, peer } = await open();
  const room = client.channel('a');
  room.on('publication', () => undefined);
  await room.subscribe();
  const reading = room.messages().next();
  peer.notify('revoked', { channel: 'a', reason: 'rights' });
  await assert.rejects(reading, (error: WardwireError) => error.code === 'revoked' && error.data?.word === 'rights');
  assert.equal(room.state.kind, 'ended');
  await client.ping();
  assert.deepEqual(peer.calls.map((call) => call.method), ['subscribe', 'ping']);
  await room.subscribe({ grant: 'signed' });
  assert.deepEqual(peer.calls.at(-1)?.params, { channel: 'a', since: 'e:3', grant: 'signed' });
});

test('one listener of two may leave; the channel ends with the last', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const room = client.channel('a');
  const abort = new AbortController();
  const stop = room.on('publication', () => undefined);
  room.on('joined', () => undefined, { signal: abort.signal });
  await enters(room, 'live');
  stop();
  await client.ping();
  abort.abort();
  await client.ping();
  assert.deepEqual(peer.calls.map((call) => call.method), ['subscribe', 'ping', 'unsubscribe', 'ping']);
  assert.equal(room.state.kind, 'idle');
});

/** A server that takes its time to answer `subscribe`, and answers other calls before. */
function slow(): { readonly followed: Set<unknown>; readonly asked: (() => void)[] } {
  const followed = new Set<unknown>();
  const asked: (() => void)[] = [];
  gate.answer = (call, { socket }) => {
    const { channel } = call.params;
    if (call.method === 'unsubscribe' && !followed.delete(channel)) throw new RpcFailure(-32006, { word: 'subscription' });
    if (call.method !== 'subscribe') return {};
    if (followed.has(channel)) throw new RpcFailure(-32006, { word: 'subscription' });
    const answer = { jsonrpc: '2.0', id: call.id, result: subscribed(call, asked.length + 1) };
    asked.push(() => (followed.add(channel), socket.send(JSON.stringify(answer))));
    return undefined;
  };
  return { followed, asked };
}

test('a channel that is left before the answer came is left once it has come', async () => {
  const { followed, asked } = slow();
  const { client, peer } = await open();
  const room = client.channel('a');
  const ready = assert.rejects(room.subscribe(), code('unsubscribed'));
  await client.ping();
  room.unsubscribe();
  await Promise.all([ready, client.ping()]);
  asked[0]?.();
  // Behind the answer, and behind what the client says to it.
  await client.ping();
  await client.ping();
  assert.deepEqual([followed.size, room.state.kind], [0, 'idle']);
  assert.deepEqual(peer.calls.map((call) => call.method).filter((method) => method !== 'ping'), ['subscribe', 'unsubscribe']);
});

test('a channel that is left and followed anew goes by the newer answer', async () => {
  const { followed, asked } = slow();
  const { client, peer } = await open();
  const room = client.channel('a');
  // Keeps what is known of the channel.
  room.on('state', () => undefined);
  room.on('publication', () => undefined)();
  const ready = room.subscribe();
  await client.ping();
  asked[0]?.();
  while (asked.length < 2) await client.ping();
  asked[1]?.();
  assert.equal((await ready).position, 'e:2');
  assert.deepEqual([...followed], ['a']);
  assert.deepEqual(peer.calls.map((call) => call.method).filter((method) => method !== 'ping'), ['subscribe', 'unsubscribe', 'subscribe']);
});

test('a refusal that comes after its channel was left ends nothing, and it can be followed anew', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open();
  const room = client.channel('a');
  room.on('state', ({ kind }) => assert.notEqual(kind, 'ended'));
  room.on('publication', () => undefined)();
  const ready = room.subscribe();
  await once(peer.socket, 'message');
  gate.answer = (call) => subscribed(call, 3);
  peer.socket.send(JSON.stringify({ jsonrpc: '2.0', id: peer.calls[0]?.id, error: { code: -32001, message: 'no', data: { word: 'forbidden' } } }));
  assert.equal((await ready).position, 'e:3');
  assert.deepEqual(peer.calls.map((call) => call.method), ['subscribe', 'subscribe']);
});

test('to subscribe again and again is to be held once, until the channel is left', async () => {
  const followings = new Followings();
  const room = new Channel('a', followings, () => assert.fail('nothing is asked'));
  const line = { hasRoom: () => true, rest: () => undefined, send: (method: string, _: string, answered?: (result: unknown) => unknown) => void queueMicrotask(() => answered?.(method === 'subscribe' ? { channel: 'a', position: 'e:0', recovered: false } : {})) };
  followings.resume(line);
  await Promise.all([room.subscribe(), room.subscribe()]);
  for (let n = 0; n < 10; n += 1) await room.subscribe();
  const { signal } = new AbortController();
  await room.subscribe({ signal });
  const following = followings.peek('a');
  // Of those without a signal, and of the one with it.
  assert.equal(following?.holds.size, 2);
  followings.resume();
  followings.resume(line);
  await room.subscribe();
  assert.deepEqual([following?.holds.size, room.state.kind], [2, 'live']);
  room.unsubscribe();
  assert.deepEqual([following?.holds.size, room.state.kind, followings.peek('a')], [0, 'idle', undefined]);
});

test('nothing is asked of the server by naming a channel or watching its state', async () => {
  const { client, peer } = await open();
  const room = client.channel('a');
  room.on('state', () => assert.fail('it was followed'));
  room.on('publication', () => undefined, { signal: AbortSignal.abort() });
  await client.ping();
  assert.deepEqual([peer.calls.map((call) => call.method), room.state.kind], [['ping'], 'idle']);
});

test('iterating reads in order, follows only while it lasts, and ends with its signal', async () => {
  gate.answer = (call) => subscribed(call, 1, true, ['one']);
  const { client, peer } = await open();
  const room = client.channel('a');
  const seen: unknown[] = [];
  for await (const { data } of room) {
    seen.push(data);
    if (data === 'one') peer.publish('a', 'two', 2);
    else break;
  }
  assert.deepEqual(seen, ['one', 'two']);
  await client.ping();
  assert.deepEqual(peer.calls.map((call) => call.method), ['subscribe', 'unsubscribe', 'ping']);

  const abort = new AbortController();
  const messages = room.messages({ signal: abort.signal });
  assert.equal((await messages.next()).value.data, 'one');
  const last = messages.next();
  abort.abort();
  assert.equal((await last).done, true);
});

test('an iteration that does not keep up fails, after what was kept, rather than hide a gap', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const room = client.channel('a');
  const messages = room.messages({ backlog: 2 });
  await enters(room, 'live');
  for (const n of [1, 2, 3, 4]) peer.publish('a', n, n);
  await client.ping();
  assert.deepEqual([(await messages.next()).value.data, (await messages.next()).value.data], [1, 2]);
  await assert.rejects(messages.next(), code('backlog-full'));
  assert.equal((await messages.next()).done, true);
});

test('an iteration may not keep more than 16 MiB either', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const room = client.channel('a');
  const messages = room.messages();
  await enters(room, 'live');
  for (const n of [1, 2, 3, 4, 5]) peer.publish('a', 'x'.repeat(4 * 1024 * 1024 - '""bobnull'.length), n);
  await client.ping();
  for (const n of [1, 2, 3, 4]) assert.equal((await messages.next()).value.position, `e:${n}`);
  await assert.rejects(messages.next(), code('backlog-full'));
});

test('a listener of the user before takes nothing from the next', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const client = gate.client();
  const stop = client.channel('a').on('publication', () => assert.fail('a listener outlived its user'));
  client.start();
  await reaches(client, 'open');
  await client.signOut();
  client.start();
  const room = client.channel('a');
  const heard = next<Publication>((give) => room.on('publication', give));
  await room.subscribe();
  stop();
  gate.peers.at(-1)?.publish('a', 'for the next', 1);
  assert.equal((await heard).data, 'for the next');
});

test('who is there, who comes and goes, and what was left out are told', async () => {
  gate.answer = (call) =>
    call.method === 'presence'
      ? { count: 2, anonymous: 1, members: [{ from: 'alice', info: { name: 'Alice', __proto__: 1, deep: {} } }, { from: 'bob' }] }
      : subscribed(call, 0);
  const { client, peer } = await open();
  const room = client.channel('a');
  const told: unknown[] = [];
  for (const name of ['joined', 'left'] as const) room.on(name, ({ members, count }) => told.push([name, members.map(({ from }) => from), count]));
  room.on('lagged', ({ position }) => told.push(['lagged', position]));
  await enters(room, 'live');
  peer.notify('joined', { channel: 'a', members: [{ from: 'carol' }], count: 3 });
  peer.notify('left', { channel: 'a', truncated: true, count: 1 });
  peer.notify('lagged', { channel: 'a', position: 'e:9' });
  const { count, anonymous, members } = await presence(room);
  assert.deepEqual(told, [['joined', ['carol'], 3], ['left', [], 1], ['lagged', 'e:9']]);
  assert.deepEqual([count, anonymous, members.map(({ from, info }) => [from, [...info]])], [2, 1, [['alice', [['name', 'Alice']]], ['bob', []]]]);
  await presence(room, { countOnly: true });
  assert.deepEqual(peer.calls.at(-1)?.params, { channel: 'a', countOnly: true });
  assert.equal(room.position, 'e:9');
});

test('history comes in pages, and bytes as bytes', async () => {
  gate.answer = (call) => ({ ...subscribed(call, 2, true, ['one', 'two']), more: true, complete: false });
  const { client, peer } = await open();
  const room = client.channel('a');
  const page = await history(room, { before: 'e:3', limit: 2 });
  assert.deepEqual(page.publications.map(({ data }) => data), ['one', 'two']);
  assert.deepEqual([page.position, page.more, page.complete], ['e:2', true, false]);
  assert.deepEqual(peer.calls[0]?.params, { channel: 'a', before: 'e:3', limit: 2 });
  await assert.rejects(history(room, { before: 'e:3', after: 'e:1' }), code('usage'));

  gate.answer = () => ({ publications: [{ base64: 'AAH/', position: 'e:1' }], position: 'e:1', more: false, complete: true });
  assert.deepEqual((await history(room)).publications[0]?.data, Uint8Array.of(0, 1, 255));
  gate.answer = () => ({ position: 'e:2' });
  await room.publish(Uint8Array.of(0, 1, 255), { id: 'b' });
  assert.deepEqual(peer.calls.at(-1)?.params, { channel: 'a', base64: 'AAH/', id: 'b' });
});

test('calls that wait are rejected when the connection ends, and at once without one that comes', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open();
  const waiting = [client.ping(), client.refresh('t'), history(client.channel('a'))];
  const settled = Promise.allSettled(waiting);
  peer.socket.terminate();
  for (const result of await settled) assert.ok(result.status === 'rejected' && code('disconnected')(result.reason));
  client.close();
  await assert.rejects(client.ping(), code('disconnected'));
  await assert.rejects(client.channel('a').publish(1), code('disconnected'));
});

test('a call made while the client connects waits for the connection, until its signal', async () => {
  const client = gate.client();
  const abort = new AbortController();
  client.start();
  const [given, stopped] = [client.ping(), client.ping({ signal: abort.signal })];
  abort.abort(new Error('enough'));
  await assert.rejects(stopped, /enough/);
  assert.ok((await given) >= 0);
});

test('calls are bounded in number, size and time, and must be JSON', async () => {
  gate.answer = () => undefined;
  const clock = handClock();
  const { client } = await open({ maxPending: 2, requestTimeoutMs: 777, maxMessageBytes: 400, platform: { clock } });
  const slow = Promise.allSettled([client.ping(), client.ping()]);
  await assert.rejects(client.ping(), code('queue-full'));
  clock.fire(777);
  for (const result of await slow) assert.ok(result.status === 'rejected' && code('timeout')(result.reason));
  const room = client.channel('a');
  await assert.rejects(room.publish('é'.repeat(130)), code('message-too-large'));
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  for (const data of [cycle, undefined, () => 1]) await assert.rejects(room.publish(data), code('not-json'));
});

test('a failed call carries what the server says of it, and what helps', async () => {
  gate.answer = () => {
    throw new RpcFailure(-32008, { word: 'invalid', pointer: '/text', keyword: 'maxLength', __proto__: { x: 1 }, extra: 1 });
  };
  const { client } = await open();
  await assert.rejects(client.channel('a').publish({ text: 'long' }), (error: WardwireError) => {
    assert.deepEqual(error.data, { word: 'invalid', pointer: '/text', keyword: 'maxLength' });
    assert.deepEqual([error.name, error.code, error.rpc], ['CallError', 'invalid', -32008]);
    assert.match(remedyFor(error), /data\.pointer/);
    return true;
  });
});

test('an error without an id is no answer to what this side sends: the connection ends', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open({ auth: session() });
  const call = client.call('a');
  const waiting = next<State>((give) => client.on('state', (state) => state.kind === 'waiting' && give(state)));
  peer.socket.send(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32600, message: 'What?', data: { word: 'request' } } }));
  await assert.rejects(call, code('disconnected'));
  const { reason } = (await waiting) as Extract<State, { kind: 'waiting' }>;
  assert.deepEqual(reason, { ...reason, kind: 'closed', code: 4002, word: 'malformed' });
});

test('an answer to a call that was given up ends no other', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open({ auth: session() });
  const abort = new AbortController();
  const asked = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (peer.calls.length === count && resolve());
      peer.socket.on('message', look);
      look();
    });
  const late = client.call('given-up', {}, { signal: abort.signal });
  await asked(1);
  abort.abort('enough');
  await assert.rejects(late, (reason) => reason === 'enough');
  const other = client.call('other');
  await asked(2);
  for (const answer of [{ id: 1, error: { code: -32603, message: 'late' } }, { id: 1, result: 'late' }, { id: 2, result: 'mine' }]) {
    peer.socket.send(JSON.stringify({ jsonrpc: '2.0', ...answer }));
  }
  assert.equal(await other, 'mine');
  assert.equal(client.state.kind, 'open');
});

test('a word of the server can not pass for one of this side, by which the client goes', async () => {
  gate.answer = () => {
    throw new RpcFailure(-32001, { word: 'disconnected' });
  };
  const { client } = await open();
  await assert.rejects(client.channel('a').publish(1), code('rpc-32001'));
});

test('publish gives the position, refresh the new expiry', async () => {
  gate.answer = (call) => (call.method === 'publish' ? { position: 'e:9', duplicate: true } : { expires_at: 2_000_000_000 });
  const { client, peer } = await open();
  assert.deepEqual(await client.channel('a').publish({ text: 'hi' }, { id: 'one', noEcho: true }), { position: 'e:9', duplicate: true });
  assert.deepEqual(peer.calls[0]?.params, { channel: 'a', data: { text: 'hi' }, id: 'one', noEcho: true });
  assert.equal(await client.refresh('fresh'), 2_000_000_000_000);
});

test('a token is renewed when the server says that it expires, and not as often as it says so', async () => {
  let made = 0;
  gate.answer = () => ({ expires_at: 2_000_000_000 });
  const { client, peer } = await open({ auth: bearer(() => `token-${++made}`) });
  const told: number[] = [];
  client.on('expiring', ({ expiresAt }) => told.push(expiresAt));
  const refreshed = next<void>((give) => peer.socket.once('message', () => give()));
  for (let n = 0; n < 50; n += 1) peer.notify('expiring', { expires_at: 1_900_000_000 });
  await refreshed;
  await client.ping();
  assert.deepEqual(told, Array(50).fill(1_900_000_000_000));
  assert.deepEqual(peer.calls.map((call) => [call.method, call.params]), [['refresh', { token: 'token-2' }], ['ping', {}]]);
});

test('a server that stops answering is found dead and left for a new connection', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open({ pingEveryMs: 10, requestTimeoutMs: 10 });
  const { reason } = await reaches(client, 'waiting');
  assert.deepEqual(reason.kind === 'closed' && [reason.code, reason.word], [1006, 'dead']);
  assert.equal(peer.calls[0]?.method, 'ping');
});

/** Does not come back while the test looks. */
const patient = { backoff: { baseMs: 600_000, capMs: 600_000 }, platform: { random: () => 0.9 } };

test('malformed frames end the connection', async () => {
  const note = (method: string, params: string): string => `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
  for (const frame of [
    'nonsense',
    '[]',
    'null',
    '"text"',
    '['.repeat(100_000),
    ' '.repeat(16 * 1024 * 1024) + note('unknown', '{}'),
    '{"jsonrpc":"1.0","method":"publication"}',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":"1","result":{}}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":null,"result":{}}',
    '{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}',
    note('publication', '{"channel":"a","data":1,"position":"nowhere"}'),
    note('publication', '{"channel":"a","data":1,"position":"e:1","from":{}}'),
    note('publication', '{"channel":"a","data":1,"position":"e:1","id":2}'),
    note('publication', '{"channel":"a","position":"e:1"}'),
    note('publication', '{"channel":"a","data":1,"base64":"","position":"e:1"}'),
    note('publication', '{"channel":"a","base64":"AA","position":"e:1"}'),
    note('joined', '{"channel":"a","members":[{}],"count":1}'),
    note('left', '{"channel":"a","members":[],"count":-1}'),
    note('revoked', '{"channel":"a"}'),
    note('revoked', '{"channel":"a","reason":"<b>"}'),
    note('lagged', '{"channel":"a","position":1}'),
    note('expiring', '{}'),
    Buffer.from([1, 2, 3]),
  ]) {
    const { client, peer } = await open(patient);
    const closed = next<number>((give) => peer.socket.on('close', give));
    peer.socket.send(frame);
    assert.equal(await closed, 4002, String(frame).slice(0, 200));
    client.close();
  }
});

test('malformed answers end the connection too', async () => {
  for (const [method, answer] of [
    ['subscribe', { channel: 'b', position: 'e:1', recovered: true, publications: [] }],
    ['subscribe', { channel: 'a', position: 'e:1', recovered: true, publications: [{}] }],
    ['publish', {}],
    ['history', { publications: {}, position: 'e:1', more: false, complete: true }],
    ['presence', { count: 'many' }],
  ] as const) {
    gate.answer = () => answer;
    const { client, peer } = await open(patient);
    const closed = next<number>((give) => peer.socket.on('close', give));
    const room = client.channel('a');
    const calls = { subscribe: () => room.subscribe(), publish: () => room.publish(1), history: () => history(room), presence: () => presence(room) };
    const called = calls[method]();
    called.catch(() => undefined);
    assert.equal(await closed, 4002, method);
    client.close();
    await assert.rejects(called);
  }
});

test('a __proto__ in a frame stays data, and unknown notifications are passed over', async () => {
  gate.answer = (call) => subscribed(call, 0);
  const { client, peer } = await open();
  const room = client.channel('__proto__');
  const arrived = next<Publication>((give) => room.on('publication', give));
  await room.subscribe();
  peer.notify('unheard-of', { channel: 'a' });
  peer.notify('joined', { channel: 'nobody-follows', count: 1 });
  peer.socket.send(
    '{"jsonrpc":"2.0","method":"publication","params":{"channel":"__proto__","data":{"__proto__":{"polluted":1}},"position":"e:1","__proto__":{"from":"eve"}}}',
  );
  const publication = await arrived;
  assert.equal(publication.from, null);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.equal(client.state.kind, 'open');
});

test('more channels than an application can mean are refused at the call', async () => {
  const client = gate.client();
  for (let n = 0; n < 1000; n += 1) client.channel(`a/${n}`).on('publication', () => undefined);
  assert.throws(() => client.channel('one-too-many').on('publication', () => undefined), code('queue-full'));
  client.channel('a/0').unsubscribe();
  client.channel('one-more').on('publication', () => undefined);
});

test('after a reconnect channels come back as the server has room for calls, in their order, and beside what is published', async () => {
  let answers = 0;
  let most = 0;
  const held: (() => void)[] = [];
  const give = (): void => {
    answers += 1;
    held.shift()?.();
  };
  gate.answer = (call) => subscribed(call, 1);
  const { client, peer } = await open();
  const rooms = Array.from({ length: 200 }, (_, n) => client.channel(`a/${n}`));
  await Promise.all(rooms.map((room) => room.subscribe()));

  gate.answer = (call, { socket }) => {
    const result = call.method === 'subscribe' ? subscribed(call, 1, true) : { position: 'e:2' };
    held.push(() => socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, result })));
    most = Math.max(most, held.length);
    // Whatever else was sent with it is here before one is answered.
    setImmediate(give);
    return undefined;
  };
  peer.socket.terminate();
  await reaches(client, 'waiting');
  const published = Array.from({ length: 50 }, (_, n) => rooms[0]!.publish(n));
  await Promise.all([...rooms.map((room) => room.state.kind === 'live' || enters(room, 'live')), ...published]);
  assert.equal(answers, 250);
  assert.ok(most <= 32, `${most} calls at once`);
  assert.deepEqual(gate.peers[1]?.calls.slice(0, 200).map(({ params }) => params), rooms.map(({ name }) => ({ channel: name, since: 'e:1' })));
});

test('an iteration counts also who published, and under which id', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const room = client.channel('a');
  const messages = room.messages();
  await enters(room, 'live');
  for (const n of [1, 2, 3]) peer.publish('a', 1, n, 'x'.repeat(8 * 1024 * 1024 - 10));
  await client.ping();
  for (const n of [1, 2]) assert.equal((await messages.next()).value.position, `e:${n}`);
  await assert.rejects(messages.next(), code('backlog-full'));
});

test('a grant that comes while the channel is asked for without one is shown, before it is refused', async () => {
  gate.answer = (call) => {
    if (call.params['grant'] !== 'signed') throw new RpcFailure(-32001);
    return subscribed(call, 3);
  };
  const { client, peer } = await open();
  const room = client.channel('a');
  room.on('publication', () => undefined);
  assert.equal((await room.subscribe({ grant: 'signed' })).position, 'e:3');
  assert.deepEqual(peer.calls.map(({ params }) => params['grant']), [undefined, 'signed']);
});

test('a token that comes once the connection is another is not sent', async () => {
  let give: ((token: string) => void) | undefined;
  let slow = false;
  const { client, peer } = await open({ auth: bearer(() => (slow ? new Promise<string>((resolve) => (give = resolve)) : 'token')) });
  slow = true;
  peer.notify('expiring', { expires_at: 1_900_000_000 });
  await client.ping();
  slow = false;
  await client.signOut();
  client.start();
  await reaches(client, 'open');
  give?.('token of the user before');
  await client.ping();
  assert.deepEqual(gate.peers.at(-1)?.calls.map(({ method }) => method), ['ping']);
});
