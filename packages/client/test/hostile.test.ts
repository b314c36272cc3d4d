/** A server that means ill, or is broken: it makes the client neither loop nor grow, and ends nothing but itself. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test, type TestContext } from 'node:test';

import { bearer, type Options, type Surrounding, type WardwireError, type Wire } from '../src/index.js';
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

/** A gate that answers requests for tickets as a test wants it. */
async function answering(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`;
}

/** Why it got no ticket there. */
async function refused(url: string, options: Partial<Options> = {}): Promise<WardwireError> {
  const client = gate.client({ backoff: { baseMs: 60_000, capMs: 60_000 }, ...options }, url);
  client.start();
  const { reason } = await reaches(client, 'waiting');
  client.close();
  assert.ok(reason.kind === 'refused');
  return reason.error;
}

test('an answer that never ends is left, and not kept', async (t) => {
  for (const status of [201, 503]) {
    let sent = 0;
    let left: Promise<unknown> | undefined;
    const url = await answering(t, (_, response) => {
      left = once(response, 'close');
      response.writeHead(status, { 'content-type': 'application/json' });
      const more = (): unknown => response.destroyed || ((sent += 65_536), response.write(' '.repeat(65_536)) ? setImmediate(more) : response.once('drain', more));
      more();
    });
    const error = await refused(url);
    assert.equal(error.code, status === 201 ? 'malformed-answer' : 'http-503');
    await left;
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes`);
  }
});

test('an answer that comes slowly, leads elsewhere, or is nonsense gives no ticket', async (t) => {
  const says = (status: number, body: string, headers = {}): RequestListener => (_, response) => void response.writeHead(status, headers).end(body);
  for (const body of ['', 'null', '[]', '"text"', '{', '{"ticket":7}', '{"ticket":"short"}', '{"__proto__":{"ticket":"ticket-of-a-prototype"}}', `{"ticket":"${'x'.repeat(16)}","handle":7}`]) {
    assert.equal((await refused(await answering(t, says(200, body)))).code, 'malformed-answer', body);
  }
  const elsewhere = await answering(t, () => assert.fail('followed'));
  assert.equal((await refused(await answering(t, says(307, '', { location: elsewhere })))).code, 'unreachable');
  const slow = await answering(t, (_, response) => void response.writeHead(200).write('{'));
  assert.equal((await refused(slow, { connectTimeoutMs: 50 })).code, 'timeout');
});

test('a refusal can not pass for something that this side says', async (t) => {
  const url = await answering(t, (_, response) => void response.writeHead(403).end('{"code":"closed","title":"No."}'));
  const client = gate.client({}, url);
  const reading = client.channel('a').messages();
  client.start();
  await assert.rejects(reading.next(), (error: WardwireError) => error.code === 'http-403' && error.title === 'No.');
});

test('a server that opens and closes at once is asked ever more seldom, whatever it closes with', async () => {
  for (const [code, word] of [[1012, 'restart'], [3008, 'idle'], [1013, 'slow'], [4999, '']] as const) {
    const clock = handClock();
    const client = gate.client({ backoff: { baseMs: 100, capMs: 9999 }, platform: { clock, random: () => 0.5 } });
    const waits: number[] = [];
    client.start();
    for (let round = 0; round < 4; round += 1) {
      await reaches(client, 'open');
      gate.peers.at(-1)?.socket.close(code, word);
      const { until } = await reaches(client, 'waiting');
      waits.push(until - clock.now());
      client.start();
    }
    const first = code === 3008 || code === 1013 ? 0 : 50;
    assert.deepEqual(waits, [first, 100, 200, 400], `${code} ${word}`);
    client.close();
  }
});

test('what is nested deeper than anybody reads ends nothing but is counted in full', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const { client, peer } = await open();
  const room = client.channel('a');
  const messages = room.messages();
  await room.subscribe();
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  for (const [data, offset] of [[deep, 1], ['2', 2]]) peer.socket.send(`{"jsonrpc":"2.0","method":"publication","params":{"channel":"a","data":${data},"position":"e:${offset}"}}`);
  await client.ping();
  assert.equal((await messages.next()).value.position, 'e:1');
  await assert.rejects(messages.next(), (error: WardwireError) => error.code === 'backlog-full');
});

test('what comes of a subscription that was left does not pass for the next one’s', async () => {
  const asked: (() => void)[] = [];
  gate.answer = (call, { socket }) => {
    if (call.method !== 'subscribe') return {};
    return void asked.push(() => socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, result: subscribed(call, 5, true, ['four', 'five']) })));
  };
  const { client, peer } = await open();
  const room = client.channel('a');
  room.unsubscribe();
  const first = room.subscribe({ since: 'e:3' });
  await client.ping();
  asked[0]!();
  await first;
  room.unsubscribe();
  const seen: unknown[] = [];
  room.on('publication', ({ data }) => seen.push(data));
  room.unsubscribe();
  const again = room.subscribe({ since: 'e:3' });
  room.on('publication', ({ data }) => seen.push(data));
  await client.ping();
  peer.publish('a', 'five', 5);
  await client.ping();
  asked.at(-1)!();
  await again;
  assert.deepEqual(seen, ['four', 'five']);
});

test('a clock that is set back does not keep tokens from being renewed', async () => {
  let now = Date.now();
  const clock = { ...handClock(), now: () => now };
  gate.answer = () => ({ expires_at: 2_000_000_000 });
  const { client, peer } = await open({ platform: { clock } });
  const refreshed = async (): Promise<void> => {
    const asked = once(peer.socket, 'message');
    peer.notify('expiring', { expires_at: 1 });
    await asked;
  };
  await refreshed();
  now -= 3_600_000;
  await refreshed();
  assert.deepEqual(peer.calls.map(({ method }) => method), ['refresh', 'refresh']);
  client.close();
});

test('nothing is left after a close that would keep a program running', async () => {
  gate.answer = () => {
    throw new RpcFailure(-32002, { word: 'rate', retryAfter: 86_400 });
  };
  const clock = handClock();
  let listeners = 0;
  const surroundings = (_: (event: Surrounding) => void): (() => void) => ((listeners += 1), () => void (listeners -= 1));
  const { client } = await open({ platform: { clock, surroundings } });
  const room = client.channel('a');
  room.on('publication', () => undefined);
  const waits = new Promise<void>((resolve) => room.on('state', ({ kind }) => kind === 'waiting' && resolve()));
  const refusedThen = Promise.allSettled([room.subscribe(), room.publish(1), client.ping()]);
  await waits;
  client.close();
  await refusedThen;
  assert.deepEqual([clock.waits, listeners], [[], 0]);
});

test('a token that never comes keeps no program running once its client is closed', async () => {
  const clock = handClock();
  const client = gate.client({ auth: bearer(() => new Promise<string>(() => undefined)), platform: { clock } });
  client.start();
  await reaches(client, 'connecting');
  client.close();
  assert.deepEqual(clock.waits, []);
});

test('a token that can not be had for a while, or hangs, costs no connection', async () => {
  let token = (): string | Promise<string> => 'a-token';
  const { client, peer } = await open({ auth: bearer(() => token()) });
  for (const bad of [() => new Promise<string>(() => undefined), () => Promise.reject(new Error('no')), () => undefined as never]) {
    token = bad;
    peer.notify('expiring', { expires_at: 1 });
    await client.ping();
    assert.equal(client.state.kind, 'open');
  }
});
