import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { type State, type Surrounding, WardwireError, type Wire } from '../src/index.js';
import { handClock } from './clock.js';
import { Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

const code = (expected: string) => (error: unknown) => error instanceof WardwireError && error.code === expected;

/** The state anew: TypeScript takes a getter for a constant. */
const now = (client: Wire): State => client.state;

const calls = (peer: Peer | undefined): unknown[] => peer?.calls.map(({ method, params }) => [method, params['id'], params['data']]) ?? [];

test('what was sent and not acknowledged is sent again under its id, as it was, in order, after the channels', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : undefined);
  const client = gate.client();
  const room = client.channel('a');
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await room.subscribe();
  const first = { text: 'one' };
  const sent = [room.publish(first, { id: 'A' }), room.publish({ text: 'two' }, { id: 'B' })];
  first.text = 'changed since';
  await new Promise<void>((resolve) => peer.socket.on('message', () => peer.calls.length === 3 && resolve()));
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : { position: 'e:1', duplicate: true });
  peer.socket.terminate();
  await reaches(client, 'waiting');
  const late = room.publish({ text: 'three' }, { id: 'C' });
  assert.deepEqual(await Promise.all([...sent, late]), Array(3).fill({ position: 'e:1', duplicate: true }));
  assert.deepEqual(calls(gate.peers[1]), [
    ['subscribe', undefined, undefined],
    ['publish', 'A', { text: 'one' }],
    ['publish', 'B', { text: 'two' }],
    ['publish', 'C', { text: 'three' }],
  ]);
});

test('a publication without an id gets one of its own', async () => {
  gate.answer = () => ({ position: 'e:1' });
  const client = gate.client();
  client.start();
  await Promise.all([client.channel('a').publish(1), client.channel('a').publish(1)]);
  const ids = gate.peers[0]?.calls.map(({ params }) => String(params['id'])) ?? [];
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id, /^[\w-]{20,64}$/);
});

test('what is of worth only now is sent at once, once and without an id, or not at all', async () => {
  const volatile = true;
  gate.answer = ({ params }) => (params['data'] === 'unanswered' ? undefined : { position: 'e:1' });
  const client = gate.client();
  const room = client.channel('a');
  client.start();
  await assert.rejects(room.publish('too early', { volatile }), code('not-sent'));
  await reaches(client, 'open');
  await room.publish('now', { volatile, noEcho: true });
  await room.publish('named', { volatile, id: 'A' });
  const unanswered = Array.from({ length: 32 }, () => room.publish('unanswered', { volatile }));
  await assert.rejects(room.publish('one too many at once', { volatile }), code('not-sent'));
  gate.peers[0]?.socket.close(1012, 'restart');
  for (const lost of unanswered) await assert.rejects(lost, code('disconnected'));
  await reaches(client, 'open');
  await room.publish('after', { volatile });
  const sent = [['publish', undefined, 'now'], ['publish', 'A', 'named'], ...Array.from({ length: 32 }, () => ['publish', undefined, 'unanswered'])];
  assert.deepEqual(calls(gate.peers[0]), sent);
  assert.equal(gate.peers[0]?.calls[0]?.params['noEcho'], true);
  assert.deepEqual(calls(gate.peers[1]), [['publish', undefined, 'after']]);
});

test('each promise is kept in time, and says whether it may have been published', async () => {
  gate.answer = () => undefined;
  const clock = handClock();
  const client = gate.client({ publishTimeoutMs: 5000, platform: { clock } });
  const arrived = gate.nextPeer();
  client.start();
  const never = client.channel('a').publish('before the connection');
  clock.fire(5000);
  await assert.rejects(never, code('not-sent'));
  const peer = await arrived;
  await reaches(client, 'open');
  const unsure = client.channel('a').publish('sent');
  await new Promise((resolve) => peer.socket.once('message', resolve));
  clock.fire(5000);
  await assert.rejects(unsure, code('unconfirmed'));
  const long = gate.client({ publishTimeoutMs: 86_400_000, platform: { clock } });
  long.start();
  void long.channel('a').publish(1).catch(() => undefined);
  assert.ok(clock.waits.includes(240_000), 'longer than the server remembers ids');
});

test('what comes too soon is sent again in its time, one by one in its channel, and fails by its deadline or its own fault only', async () => {
  const seen = new Map<unknown, number>();
  gate.answer = ({ method, params: { data } }) => {
    if (method === 'ping') return {};
    const times = (seen.get(data) ?? 0) + 1;
    seen.set(data, times);
    if (data === 'never' || (times === 1 && data !== 'elsewhere')) throw new RpcFailure(-32002, { word: 'rate', retryAfter: 5 });
    if (data === 'bad') throw new RpcFailure(-32008, { word: 'invalid' });
    return { position: 'e:1' };
  };
  const clock = handClock();
  const client = gate.client({ platform: { clock, random: () => 0 } });
  client.start();
  await reaches(client, 'open');
  const room = client.channel('a');
  const [bad, good, never] = ['bad', 'good', 'never'].map((data) => room.publish(data));
  const failed = Promise.all([assert.rejects(bad!, code('invalid')), assert.rejects(never!, (error: WardwireError) => error.code === 'rate' && error.retryAfterMs === 5000)]);
  await client.ping();
  const sent = (): unknown[] => calls(gate.peers[0]).map((call) => (call as unknown[])[2]).filter((data) => data !== undefined);
  const all: unknown[] = ['bad', 'good', 'never'];
  assert.deepEqual(sent(), all);
  await client.channel('b').publish('elsewhere');
  all.push('elsewhere');
  for (const data of ['bad', 'good', 'never']) {
    assert.ok(clock.waits.includes(5000), String(data));
    clock.fire(5000);
    await client.ping();
    all.push(data);
    assert.deepEqual(sent(), all);
  }
  assert.deepEqual(await good, { position: 'e:1', duplicate: false });
  clock.fire(30_000);
  await failed;
  client.close();
  assert.deepEqual(clock.waits, []);
});

test('what a connection is silent about is sent again over another', async () => {
  gate.answer = () => undefined;
  const clock = handClock();
  const client = gate.client({ requestTimeoutMs: 7000, publishTimeoutMs: 30_000, backoff: { baseMs: 0, capMs: 0 }, platform: { clock } });
  client.start();
  const peer = await gate.nextPeer();
  await reaches(client, 'open');
  const sent = client.channel('a').publish('told late', { id: 'A' });
  await new Promise((resolve) => peer.socket.once('message', resolve));
  gate.answer = () => ({ position: 'e:1', duplicate: true });
  clock.fire(7000);
  await reaches(client, 'waiting');
  const waits = now(client);
  assert.equal(waits.kind === 'waiting' && waits.reason.kind === 'closed' && waits.reason.word, 'dead');
  clock.fire(0);
  assert.deepEqual(await sent, { position: 'e:1', duplicate: true });
  assert.deepEqual(calls(gate.peers[1]), [['publish', 'A', 'told late']]);
});

test('the queue is bounded in number and size, leaves room among the 32 calls that a server takes, and loses nothing', async () => {
  const held: (() => void)[] = [];
  gate.answer = (call, peer) => {
    if (call.method === 'ping') return {};
    held.push(() => peer.socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, result: { position: 'e:1' } })));
    return undefined;
  };
  const client = gate.client({ maxPending: 100 });
  client.start();
  await reaches(client, 'open');
  const room = client.channel('a');
  const all = Array.from({ length: 100 }, (_, n) => room.publish(n));
  await assert.rejects(room.publish('one too many'), code('queue-full'));
  for (const underway of [24, 24, 24, 24, 4]) {
    await client.ping();
    assert.equal(held.length, underway);
    for (const give of held.splice(0)) give();
    await client.ping();
  }
  await Promise.all(all);
  assert.deepEqual(calls(gate.peers[0]).filter((call) => (call as unknown[])[0] === 'publish').map((call) => (call as unknown[])[2]), Array.from({ length: 100 }, (_, n) => n));
});

test('large publications fill the queue sooner, and leave it when they are answered', async () => {
  gate.answer = () => ({ position: 'e:1' });
  const client = gate.client();
  client.start();
  const room = client.channel('a');
  const large = 'x'.repeat(60_000);
  const all = Array.from({ length: 69 }, () => room.publish(large));
  await assert.rejects(room.publish(large), code('queue-full'));
  await Promise.all(all);
  await Promise.all(Array.from({ length: 69 }, () => room.publish(large)));
});

test('an abort takes a publication out of the queue, and sign-out all of them', async () => {
  gate.answer = () => ({ position: 'e:1' });
  const client = gate.client();
  client.start();
  const room = client.channel('a');
  const abort = new AbortController();
  const given = room.publish('given up', { signal: abort.signal });
  abort.abort(new Error('enough'));
  await assert.rejects(given, /enough/);
  await room.publish('kept');
  gate.peers[0]?.socket.terminate();
  await reaches(client, 'waiting');
  const wiped = room.publish('of the user before');
  await Promise.all([assert.rejects(wiped, code('signed-out')), client.signOut()]);
  client.start();
  await room.publish('of the next');
  assert.deepEqual(gate.peers.flatMap((peer) => peer.calls).map(({ params }) => params['data']), ['kept', 'of the next']);
});

test('a page that is cached leaves and comes back, a network that is back is used, a sleeper asks', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 2) : {});
  const clock = handClock();
  let listens = true;
  let tell: (event: Surrounding) => void = () => assert.fail('nobody listens');
  const surroundings = (listener: typeof tell): (() => void) => ((tell = listener), () => void (listens = false));
  const client = gate.client({ backoff: { baseMs: 100, capMs: 60_000 }, platform: { clock, random: () => 0.5, surroundings } });
  const room = client.channel('a');
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await room.subscribe();
  const asked = new Promise((resolve) => peer.socket.once('message', resolve));
  tell('resume');
  await asked;
  assert.equal(peer.calls.at(-1)?.method, 'ping');

  const closed = new Promise((resolve) => peer.socket.on('close', resolve));
  tell('pagehide');
  assert.equal(await closed, 1000);
  assert.equal(client.state.kind, 'suspended');
  assert.equal(room.state.kind, 'waiting');
  gate.refusals.push({ status: 503, code: 'unavailable' }, { status: 429, code: 'too-many-requests', retryAfter: '9' });
  tell('pageshow');
  const first = await reaches(client, 'waiting');
  tell('online');
  assert.deepEqual(clock.waits.filter((ms) => ms < 5000), [50]);
  assert.deepEqual(now(client), { ...now(client), attempt: first.attempt });
  clock.fire(50);
  await reaches(client, 'connecting');
  const { until } = await reaches(client, 'waiting');
  tell('online');
  assert.deepEqual(now(client), { ...now(client), until }, 'a server that named a time was asked before it');
  client.start();
  await room.subscribe();
  assert.deepEqual(gate.peers.at(-1)?.calls[0]?.params, { channel: 'a', since: 'e:2' });
  client.close();
  assert.equal(listens, false);
});

test('a signal closes the client for good', async () => {
  const abort = new AbortController();
  const client = gate.client({ signal: abort.signal });
  client.start();
  await reaches(client, 'open');
  abort.abort();
  assert.equal(client.state.kind, 'ended');
  client.start();
  assert.equal(client.state.kind, 'ended');
});

test('a client that comes back as somebody else forgets what the one before left, and publishes none of it', async () => {
  for (const [before, after] of [['alice', 'bob'], ['alice', null], [null, 'bob']] as const) {
    gate.handle = before;
    gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 7) : undefined);
    const client = gate.client();
    const room = client.channel('a');
    const arrived = gate.nextPeer();
    client.start();
    const peer = await arrived;
    const reading = room.messages();
    room.on('publication', () => assert.fail('a listener outlived its user'));
    await room.subscribe();
    room.on('publication', () => undefined);
    const sent = room.publish('sent');
    await new Promise((resolve) => peer.socket.once('message', resolve));
    gate.handle = after;
    peer.socket.terminate();
    await reaches(client, 'waiting');
    const unsent = room.publish('not sent');
    await Promise.all([
      assert.rejects(unsent, code('another-user')),
      assert.rejects(sent, (error: WardwireError) => error.code === 'unconfirmed' && (error.cause as WardwireError).code === 'another-user'),
      assert.rejects(reading.next(), code('another-user')),
    ]);
    const { reason } = await reaches(client, 'ended');
    assert.deepEqual(reason, { kind: 'signed-out', by: 'another-user', word: '' });
    assert.deepEqual([room.state.kind, room.position], ['idle', null]);

    // On as the next: with nothing of the one before, and not ended again.
    const next = gate.nextPeer();
    client.start();
    const { calls } = await next;
    await reaches(client, 'open');
    gate.answer = () => ({});
    await client.ping();
    assert.deepEqual(calls.map(({ method }) => method), ['ping']);
    client.close();
  }
});

test('somebody who stays who they are, or of whom the server says nothing, is taken up again', async () => {
  for (const handle of ['alice', null, undefined]) {
    gate.handle = handle;
    gate.answer = (call) => subscribed(call, 7);
    const client = gate.client();
    const room = client.channel('a');
    client.start();
    await room.subscribe();
    gate.peers.at(-1)?.socket.close(1012, 'restart');
    await reaches(client, 'waiting');
    await reaches(client, 'open');
    await room.subscribe();
    assert.deepEqual(gate.peers.at(-1)?.calls[0]?.params, { channel: 'a', since: 'e:7' });
    client.close();
  }
});

test('what is larger than the route takes is not sent again, and the others are published', async () => {
  gate.answer = ({ params }, { socket }) => (params['data'] === 'large' ? socket.close(1009, 'size') : { position: 'e:1' });
  const client = gate.client();
  client.start();
  await reaches(client, 'open');
  const room = client.channel('a');
  const large = room.publish('large', { id: 'A' });
  await assert.rejects(large, (error: WardwireError) => error.code === 'unconfirmed' && (error.cause as WardwireError).code === 'message-too-large');
  await room.publish('small', { id: 'B' });
  assert.deepEqual(gate.peers.flatMap((peer) => calls(peer)), [['publish', 'A', 'large'], ['publish', 'B', 'small']]);
});
