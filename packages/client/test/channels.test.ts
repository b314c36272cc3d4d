import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { type Client, type Options, type Publication, type SubscriptionStart, WardwireError } from '../src/index.js';
import { handClock } from './clock.js';
import { Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

async function open(options: Partial<Options> = {}): Promise<{ client: Client; peer: Peer }> {
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

const code = (expected: string) => (error: unknown) => error instanceof WardwireError && error.code === expected;

test('a subscription delivers, is taken up again where it was left, and says whether all was recovered', async () => {
  gate.answer = (call) => subscribed(call, 4);
  const { client, peer } = await open();
  const seen: unknown[] = [];
  await client.subscribe('chat/lobby', (publication) => seen.push([publication.data, publication.position, publication.from]));
  const arrived = next<Publication>((give) => client.on('publication', give));
  peer.publish('chat/lobby', 'five', 5);
  await arrived;

  gate.answer = (call) => subscribed(call, 7, true, ['six', 'seven']);
  const again = next<SubscriptionStart>((give) => client.on('subscribed', give));
  peer.socket.close(1012, 'restart');
  assert.deepEqual(await again, { channel: 'chat/lobby', position: 'e:7', recovered: true });
  assert.deepEqual(seen, [
    ['five', 'e:5', 'bob'],
    ['six', 'e:6', 'bob'],
    ['seven', 'e:7', 'bob'],
  ]);
  assert.deepEqual(gate.peers[0]?.calls[0]?.params, { channel: 'chat/lobby' });
  assert.deepEqual(gate.peers[1]?.calls[0]?.params, { channel: 'chat/lobby', since: 'e:5' });

  gate.answer = (call) => subscribed(call, 1, false);
  const lost = next<SubscriptionStart>((give) => client.on('subscribed', give));
  gate.peers[1]?.socket.close(1012, 'restart');
  assert.equal((await lost).recovered, false);
  const fresh = next<Publication>((give) => client.on('publication', give));
  gate.peers[2]?.publish('chat/lobby', 'two of a new count', 2);
  assert.equal((await fresh).position, 'e:2');
  client.close();
});

test('a publication that was already delivered is not delivered again', async () => {
  gate.answer = (call) => subscribed(call, 2, true, ['two']);
  const { client, peer } = await open();
  const seen: unknown[] = [];
  await client.subscribe('a', (publication) => seen.push(publication.data), { since: 'e:1' });
  const last = next<Publication>((give) => client.on('publication', give));
  peer.publish('a', 'two', 2);
  peer.publish('a', 'three', 3);
  await last;
  assert.deepEqual(seen, ['two', 'three']);
  client.close();
});

test('a subscription made without a connection waits for one', async () => {
  gate.answer = (call) => subscribed(call, 0);
  const client = gate.client();
  const ready = client.subscribe('chat/lobby', () => undefined);
  client.start();
  assert.equal((await ready).position, 'e:0');
  client.close();
});

test('forbidden is told plainly, at first and when the right was taken away later', async () => {
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  const { client, peer } = await open();
  await assert.rejects(client.subscribe('chat/lobby', () => undefined), code('forbidden'));
  await assert.rejects(client.publish('chat/lobby', 'x'), (error: WardwireError) => error.rpc === -32001 && error.status === null);

  gate.answer = (call) => subscribed(call, 0);
  await client.subscribe('chat/lobby', () => undefined);
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  const gone = next<{ channel: string }>((give) => client.on('unsubscribed', give));
  peer.socket.close(1012, 'restart');
  assert.equal((await gone).channel, 'chat/lobby');
  client.close();
});

test('one handler of two may leave; the channel ends with the last', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const [first, second] = [() => undefined, () => undefined];
  await client.subscribe('a', first);
  await client.subscribe('a', second);
  await client.unsubscribe('a', first);
  await client.unsubscribe('a', second);
  assert.deepEqual(peer.calls.map((call) => call.method), ['subscribe', 'unsubscribe']);
  client.close();
});

test('requests that wait are rejected when the connection ends, and at once without one', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open();
  const waiting = [client.publish('a', 1), client.ping(), client.refresh('t')];
  const settled = Promise.allSettled(waiting);
  peer.socket.terminate();
  for (const result of await settled) assert.ok(result.status === 'rejected' && code('disconnected')(result.reason));
  client.close();
  await assert.rejects(client.publish('a', 1), code('disconnected'));
});

test('requests are bounded in number, size and time, and must be JSON', async () => {
  gate.answer = () => undefined;
  const clock = handClock();
  const { client } = await open({ maxPending: 2, requestTimeoutMs: 777, maxMessageBytes: 200, platform: { clock } });
  const slow = Promise.allSettled([client.publish('a', 1), client.publish('a', 2)]);
  await assert.rejects(client.publish('a', 3), code('queue-full'));
  clock.fire(777);
  for (const result of await slow) assert.ok(result.status === 'rejected' && code('timeout')(result.reason));
  await assert.rejects(client.publish('a', 'é'.repeat(90)), code('message-too-large'));
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  await assert.rejects(client.publish('a', cycle), code('not-json'));
  await assert.rejects(client.publish('a', undefined), code('not-json'));
  client.close();
});

test('an answer without an id belongs to the oldest request, also after one was given up', async () => {
  gate.answer = () => undefined;
  const clock = handClock();
  const { client, peer } = await open({ requestTimeoutMs: 777, platform: { clock } });
  const answer = (fields: object): void => peer.socket.send(JSON.stringify({ jsonrpc: '2.0', ...fields }));
  const refused = { id: null, error: { code: -32004, message: 'no' } };
  const late = client.publish('a', 1);
  clock.fire(777);
  await assert.rejects(late, code('timeout'));
  const settled = Promise.allSettled([client.refresh('t'), client.publish('a', 2), client.publish('a', 3)]);
  answer(refused); // Of the one that was given up.
  answer({ id: 3, result: { position: 'e:2' } });
  answer(refused);
  answer({ id: 2, result: { expires_at: 9 } });
  const [refresh, second, third] = await settled;
  assert.equal(refresh.status === 'fulfilled' && refresh.value, 9000);
  assert.equal(second.status === 'fulfilled' && second.value, 'e:2');
  assert.ok(third.status === 'rejected' && code('content-refused')(third.reason));
  answer(refused); // Of nothing.
  answer({ method: 'joined' });
  assert.equal(client.state.kind, 'open');
  client.close();
});

test('publish gives the position, refresh the new expiry', async () => {
  gate.answer = (call) => (call.method === 'publish' ? { position: 'e:9' } : { expires_at: 2_000_000_000 });
  const { client, peer } = await open();
  assert.equal(await client.publish('a', { text: 'hi' }, { id: 'one' }), 'e:9');
  assert.deepEqual(peer.calls[0]?.params, { channel: 'a', data: { text: 'hi' }, id: 'one' });
  assert.equal(await client.refresh('fresh'), 2_000_000_000_000);
  client.close();
});

test('a token credential is renewed when the server says that it expires', async () => {
  let made = 0;
  gate.answer = () => ({ expires_at: 2_000_000_000 });
  const { client, peer } = await open({ credential: { kind: 'token', token: () => `token-${++made}` } });
  const refreshed = next<void>((give) => peer.socket.on('message', () => give()));
  const told = next<{ expiresAt: number }>((give) => client.on('expiring', give));
  peer.notify('expiring', { expires_at: 1_900_000_000 });
  assert.equal((await told).expiresAt, 1_900_000_000_000);
  await refreshed;
  assert.deepEqual(peer.calls.map((call) => [call.method, call.params]), [['refresh', { token: 'token-2' }]]);
  client.close();
});

test('a server that stops answering is found dead and left for a new connection', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open({ pingEveryMs: 10, requestTimeoutMs: 10 });
  const { reason } = await reaches(client, 'waiting');
  assert.deepEqual(reason.kind === 'closed' && [reason.code, reason.word], [1006, 'dead']);
  assert.equal(peer.calls[0]?.method, 'ping');
  client.close();
});

test('malformed frames end the connection', async () => {
  for (const frame of [
    'nonsense',
    '[]',
    'null',
    '"text"',
    '{"jsonrpc":"1.0","method":"publication"}',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":"1","result":{}}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":null,"result":{}}',
    '{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}',
    '{"jsonrpc":"2.0","method":"publication","params":{"channel":"a","data":1,"position":"nowhere"}}',
    '{"jsonrpc":"2.0","method":"publication","params":{"channel":"a","data":1,"position":"e:1","from":{}}}',
    '{"jsonrpc":"2.0","method":"publication","params":{"channel":"a","position":"e:1"}}',
    '{"jsonrpc":"2.0","method":"expiring","params":{}}',
    Buffer.from([1, 2, 3]),
  ]) {
    const { client, peer } = await open();
    const closed = next<number>((give) => peer.socket.on('close', give));
    peer.socket.send(frame);
    assert.equal(await closed, 4002, String(frame));
    client.close();
  }
});

test('a __proto__ in a frame stays data, and unknown notifications are passed over', async () => {
  gate.answer = (call) => subscribed(call, 0);
  const { client, peer } = await open();
  await client.subscribe('__proto__', () => undefined);
  const arrived = next<Publication>((give) => client.on('publication', give));
  peer.notify('joined', { channel: 'a' });
  peer.socket.send(
    '{"jsonrpc":"2.0","method":"publication","params":{"channel":"__proto__","data":{"__proto__":{"polluted":1}},"position":"e:1","__proto__":{"from":"eve"}}}',
  );
  const publication = await arrived;
  assert.equal(publication.from, null);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.equal(client.state.kind, 'open');
  client.close();
});
