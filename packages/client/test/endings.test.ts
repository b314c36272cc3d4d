import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { adviceFor, session, WardwireError } from '../src/index.js';
import { readRetryAfter, waitMs } from '../src/backoff.js';
import { adviceForRefusal } from '../src/error.js';
import { longestWaitMs } from '../src/limits.js';
import { Gate, reaches, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

test('signing out tells the server, closes, and leaves nothing behind', async () => {
  gate.answer = (call) => (call.params['channel'] === 'never' ? undefined : subscribed(call, 3));
  const client = gate.client();
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  const lobby = client.channel('chat/lobby');
  lobby.on('publication', () => assert.fail('a handler outlived its user'));
  await lobby.subscribe();
  const pending = client.channel('never').subscribe();
  const closed = new Promise<number>((resolve) => peer.socket.on('close', resolve));
  const told: string[] = [];
  client.on('signed-out', ({ by }) => told.push(by));

  const done = client.signOut();
  assert.deepEqual(client.state, { kind: 'ended', reason: { kind: 'signed-out', by: 'client', word: '' } });
  await assert.rejects(pending, (error: WardwireError) => error.code === 'signed-out');
  await done;
  assert.equal(await closed, 1000);
  assert.deepEqual(told, ['client']);
  const last = gate.seen.at(-1);
  assert.deepEqual([last?.method, last?.path, last?.headers.authorization], ['DELETE', '/.wardwire/session', 'Bearer secret-token']);

  client.start();
  const next = await gate.nextPeer();
  await reaches(client, 'open');
  next.publish('chat/lobby', 'for the user before', 4);
  gate.answer = (call) => subscribed(call, 9);
  await client.channel('chat/other').subscribe();
  assert.deepEqual(next.calls.map((call) => call.params), [{ channel: 'chat/other' }]);
  client.close();
});

test('a sign-out that the server does not hear of is told, and wipes all the same', async () => {
  const client = gate.client({ platform: { fetch: () => Promise.reject(new TypeError('down')) } });
  await assert.rejects(client.signOut(), (error: WardwireError) => error.code === 'unreachable');
  assert.equal(client.state.kind, 'ended');
});

for (const word of ['logged-out', 'revoked']) {
  test(`a close with 3000 ${word} wipes everything and stays away`, async () => {
    gate.answer = (call) => subscribed(call, 3);
    const client = gate.client();
    const arrived = gate.nextPeer();
    client.start();
    const peer = await arrived;
    await client.channel('chat/lobby').subscribe();
    const told = new Promise((resolve) => client.on('signed-out', resolve));
    peer.socket.close(3000, `${word}: elsewhere`);
    assert.deepEqual(await told, { kind: 'signed-out', by: 'server', word });
    assert.equal(client.state.kind, 'ended');
    assert.equal(gate.tickets().length, 1);

    client.start();
    const next = await gate.nextPeer();
    await reaches(client, 'open');
    await client.ping();
    assert.deepEqual(next.calls.map((call) => call.method), ['ping']);
    client.close();
  });
}

test('each close is followed as its code and word advise', async () => {
  for (const [code, word] of [
    [1000, ''], [1001, ''], [1008, 'errors'], [1009, 'size'], [1011, 'internal'], [1012, 'restart'], [1013, 'slow'],
    [3000, 'expired'], [3003, 'subject'], [3008, 'idle'],
  ] as const) {
    const client = gate.client({ auth: session(), backoff: { baseMs: 60_000, capMs: 60_000 }, platform: { random: () => 0.5 } });
    const arrived = gate.nextPeer();
    client.start();
    const peer = await arrived;
    await reaches(client, 'open');
    const advice = adviceFor(code, word);
    const after = new Promise<string>((resolve) => {
      client.on('state', (state) => {
        if (state.kind === 'ended') resolve('stays');
        if (state.kind === 'waiting') resolve(state.until - Date.now() < 1000 ? 'at-once' : 'later');
      });
    });
    peer.socket.close(code, word);
    const expected = { 'at-once': 'at-once', later: 'later', 'after-sign-in': 'stays', never: 'stays' }[advice];
    assert.equal(await after, expected, `${code} ${word}: ${advice}`);
    client.close();
  }
});

test('the advice table knows the codes that a user can do something about', () => {
  assert.equal(adviceFor(3000, 'expired'), 'after-sign-in');
  assert.equal(adviceFor(3000, 'revoked'), 'after-sign-in');
  assert.equal(adviceFor(3003, 'subject'), 'never');
  assert.equal(adviceFor(1012, 'restart'), 'later');
  assert.equal(adviceFor(4999, 'unheard-of'), 'later');
});

test('what was refused before the socket is advised by its status', () => {
  const advice = (status: number | null) => adviceForRefusal(new WardwireError('x', { status }));
  assert.deepEqual([401, 400, 403, 404, 421, 431].map(advice), ['after-sign-in', ...Array<string>(5).fill('never')]);
  assert.deepEqual([null, 408, 429, 500, 502, 503].map(advice), Array(6).fill('later'));
});

test('waits lie in [0, min(cap, base * 2^n)] and fill it', () => {
  const backoff = { baseMs: 100, capMs: 5000 };
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const ceiling = Math.min(5000, 100 * 2 ** Math.min(attempt, 30));
    const wait = waitMs({ backoff, random: Math.random }, attempt, null);
    assert.ok(wait >= 0 && wait < ceiling, `${attempt}: ${wait}`);
    assert.equal(waitMs({ backoff, random: () => 0 }, attempt, null), 0);
    assert.equal(waitMs({ backoff, random: () => 0.5 }, attempt, null), ceiling / 2);
  }
  assert.equal(waitMs({ backoff, random: () => 0.5 }, 0, 1e15), longestWaitMs);
});

test('Retry-After is read as seconds, and nonsense as nothing', () => {
  assert.equal(readRetryAfter('120'), 120_000);
  assert.equal(readRetryAfter('0'), 0);
  for (const value of [null, '', 'soon', '-5', '-5 apples', '1e9', 'NaN', 'Infinity', '9999999999', 'Tue, 01 Jan 2030 00:01:00 GMT']) assert.equal(readRetryAfter(value), null, String(value));
});
