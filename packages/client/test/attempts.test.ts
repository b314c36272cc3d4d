import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, session, type State, tickets, stepUpFor, WardwireError } from '../src/index.js';
import { handClock } from './clock.js';
import { Gate, reaches } from './gate.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

test('every attempt brings a fresh ticket and a trace of its own, and no credential in a URL', async () => {
  const client = gate.client();
  client.start();
  for (let round = 0; round < 3; round += 1) {
    const peer = await gate.nextPeer();
    await reaches(client, 'open');
    if (round < 2) peer.socket.close(1012, 'restart');
    if (round < 2) await reaches(client, 'waiting');
  }
  const offered = gate.peers.map((peer) => peer.protocols);
  assert.deepEqual(
    offered.map(([first, ticket]) => [first, ticket]),
    [1, 2, 3].map((n) => ['wardwire.v1', `wardwire.ticket.ticket-of-one-use-${n}`]),
  );
  const traces = gate.tickets().map((item) => String(item.headers['wardwire-trace']));
  assert.equal(new Set(traces).size, 3);
  assert.deepEqual(offered.map((list) => list[2]), traces.map((trace) => `wardwire.trace.${trace}`));
  for (const trace of traces) assert.match(trace, /^[A-Za-z0-9_-]{8,64}$/);
  for (const seen of gate.seen) assert.equal(seen.path, '/.wardwire/tickets');
  assert.deepEqual(JSON.parse(gate.tickets()[0]!.body), { route: '/live' });
  client.close();
});

test('a page over plain http, where browsers give no `randomUUID`, is told by the server that it may not come, and not by an error of ours', async (context) => {
  const { randomUUID } = crypto;
  context.after(() => Object.defineProperty(crypto, 'randomUUID', { value: randomUUID, configurable: true, writable: true }));
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true, writable: true });
  gate.refusals.push({ status: 403, code: 'origin-not-allowed' });
  const client = gate.client();
  client.start();
  const { reason } = await reaches(client, 'ended');
  assert.equal(reason.kind === 'refused' && reason.error.code, 'origin-not-allowed');
  assert.match(String(gate.seen[0]?.headers['wardwire-trace']), /^[\w-]{8,64}$/);
});

test('a token goes as a bearer without cookies, a cookie without a token, and a ticket comes from the application', async () => {
  const modes: (RequestCredentials | undefined)[] = [];
  const platform = { fetch: (input: RequestInfo | URL, init?: RequestInit) => (modes.push(init?.credentials), fetch(input, init)) };
  for (const auth of [bearer(async () => 'abc'), session()]) {
    const client = gate.client({ auth, platform });
    client.start();
    await reaches(client, 'open');
    client.close();
  }
  assert.deepEqual(gate.tickets().map((item) => item.headers.authorization), ['Bearer abc', undefined]);
  assert.deepEqual(modes, ['omit', 'include']);

  const asked = gate.client({ auth: tickets(() => 'not a ticket') });
  asked.start();
  const { reason } = await reaches(asked, 'waiting');
  assert.equal(reason.kind === 'refused' && reason.error.code, 'malformed-answer');
  asked.close();
  assert.equal(gate.tickets().length, 2);
});

test('a refusal tells its true reason and ends what no waiting can mend', async () => {
  for (const [status, code] of [[401, 'unauthenticated'], [403, 'origin-not-allowed'], [400, 'credential-conflict']] as const) {
    gate.refusals.push({ status, code });
    const client = gate.client();
    client.start();
    const { reason } = await reaches(client, 'ended');
    assert.ok(reason.kind === 'refused' && reason.error instanceof WardwireError);
    assert.deepEqual([reason.error.status, reason.error.code, reason.error.title], [status, code, 'No.']);
    assert.equal(reason.error.trace, gate.tickets().at(-1)?.headers['wardwire-trace']);
  }
  assert.equal(gate.peers.length, 0);
});

test('a refusal says what a better sign-in has to ask for, and another one says nothing of it', async () => {
  const step = 'Bearer error="insufficient_user_authentication"';
  for (const [challenge, stepUp] of [
    [`${step}, acr_values="mfa phr", max_age="60"`, { acr_values: 'mfa phr', max_age: '60' }],
    [`${step}, max_age=0`, { max_age: '0' }],
    [step, {}],
    [`${step}, other_max_age="1"`, {}],
    [`${step}, acr_values="${'a'.repeat(257)}"`, {}],
    ['Bearer error="invalid_token", acr_values="mfa"', null],
    [undefined, null],
  ] as const) {
    gate.refusals.push({ status: 401, code: 'insufficient-authentication', ...(challenge !== undefined && { challenge }) });
    const client = gate.client();
    client.start();
    const { reason } = await reaches(client, 'ended');
    assert.deepEqual(reason.kind === 'refused' && stepUpFor(reason.error), stepUp, challenge);
  }
});

test('Retry-After is waited for, with jitter on top', async () => {
  for (const random of [0, 0.999]) {
    gate.refusals.push({ status: 429, code: 'too-many-requests', retryAfter: '7' });
    const clock = handClock();
    const client = gate.client({ backoff: { baseMs: 1000, capMs: 8000 }, platform: { clock, random: () => random } });
    client.start();
    const waiting = await reaches(client, 'waiting');
    assert.deepEqual(clock.waits, [7000 + random * 1000]);
    assert.equal(waiting.until, 1_007_000 + random * 1000);
    assert.ok(waiting.reason.kind === 'refused' && waiting.reason.error.retryAfterMs === 7000);
    clock.fire();
    await reaches(client, 'open');
    client.close();
  }
});

test('a server that cannot be reached is tried again, each time asking for the truth first', async () => {
  let down = 3;
  const fetchLate: typeof fetch = (input, init) => (down-- > 0 ? Promise.reject(new TypeError('down')) : fetch(input, init));
  const client = gate.client({ platform: { fetch: fetchLate } });
  const reasons: unknown[] = [];
  client.on('state', (state) => state.kind === 'waiting' && reasons.push(state.reason.kind === 'refused' && state.reason.error.code));
  client.start();
  await reaches(client, 'open');
  assert.deepEqual(reasons, ['unreachable', 'unreachable', 'unreachable']);
  client.close();
});

test('a handshake that fails is followed by a new ticket, not by the old one', async () => {
  let handshakes = 0;
  gate.http.prependListener('upgrade', (_, socket) => void (++handshakes === 1 && socket.destroy()));
  const client = gate.client();
  client.start();
  const { reason } = await reaches(client, 'waiting');
  assert.deepEqual(reason.kind === 'closed' && [reason.code, reason.advice], [1006, 'later']);
  await reaches(client, 'open');
  assert.equal(gate.tickets().length, 2);
  client.close();
});

test('a server that selects another subprotocol is left', async () => {
  gate.select = (offered) => offered.find((name) => name.startsWith('wardwire.trace.')) ?? false;
  const client = gate.client();
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  const closed = new Promise((resolve) => peer.socket.on('close', resolve));
  const { reason } = await reaches(client, 'waiting');
  assert.deepEqual(reason.kind === 'closed' && [reason.code, reason.word], [4003, 'protocol']);
  assert.equal(await closed, 4003);
  client.close();
});

test('an answer that never comes ends the attempt in time, also from the application itself', async () => {
  const clock = handClock();
  const client = gate.client({ auth: tickets(() => new Promise<string>(() => undefined)), platform: { clock } });
  client.start();
  assert.deepEqual(clock.waits, [15_000]);
  clock.fire();
  const { reason } = await reaches(client, 'waiting');
  assert.equal(reason.kind === 'refused' && reason.error.code, 'timeout');
  client.close();
});

test('waiting grows from attempt to attempt, start() ends it early, and close() for good', async () => {
  gate.refusals.push(...Array.from({ length: 4 }, () => ({ status: 503, code: 'unavailable' })));
  const clock = handClock();
  const client = gate.client({ backoff: { baseMs: 100, capMs: 350 }, platform: { clock, random: () => 0.5 } });
  const states: State['kind'][] = [];
  client.on('state', (state) => states.push(state.kind));
  const waits: number[] = [];
  client.start();
  for (let round = 0; round < 4; round += 1) {
    await reaches(client, 'waiting');
    waits.push(...clock.waits);
    if (round < 3) client.start();
  }
  assert.deepEqual(waits, [50, 100, 175, 175]);
  client.close();
  assert.deepEqual(clock.waits, []);
  assert.deepEqual(states.slice(-2), ['waiting', 'ended']);
});

test('a connection that held clears the count of failures, and one that did not keeps it', async () => {
  const clock = handClock();
  const client = gate.client({ backoff: { baseMs: 100, capMs: 9999 }, platform: { clock, random: () => 0.5 } });
  const waits: number[] = [];
  client.start();
  for (const held of [false, false, true, false]) {
    await reaches(client, 'open');
    if (held) clock.fire(5000);
    gate.peers.at(-1)?.socket.close(1012, 'restart');
    const { until } = await reaches(client, 'waiting');
    waits.push(until - clock.now());
    client.start();
  }
  assert.deepEqual(waits, [50, 100, 50, 100]);
});

test('addresses that would carry or leak a credential are refused', () => {
  for (const url of [
    'ws://example.com/live',
    'http://example.com/live',
    'wss://user@example.com/live',
    'wss://user:secret@example.com/live',
    'wss://example.com/live?access_token=abc',
    'wss://example.com/live#token',
    'ftp://example.com/live',
    'javascript:alert(1)',
  ]) {
    assert.throws(() => gate.client({}, url), { code: 'usage' }, url);
  }
  gate.client({}, 'wss://example.com/live');
});

test('of a page’s own address nothing but its origin is used', async () => {
  const scope = globalThis as { location?: unknown };
  const asked: string[] = [];
  const answerless = (async (input: unknown) => (asked.push(String(input)), new Response(null, { status: 403 }))) as typeof fetch;
  scope.location = { origin: 'https://app.example', href: 'https://user:pw@app.example/deep/page?url=wss://evil.example#token=abc' };
  try {
    for (const url of ['/live', 'live']) {
      const client = gate.client({ platform: { fetch: (input, init) => (asked.push(String(init?.body)), answerless(input)) } }, url);
      client.start();
      await reaches(client, 'ended');
    }
  } finally {
    delete scope.location;
  }
  const once = ['{"route":"/live"}', 'https://app.example/.wardwire/tickets'];
  assert.deepEqual(asked, [...once, ...once]);
});
