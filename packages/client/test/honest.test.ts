/** Promises are kept, and states are what was asked for, also where a listener does something of its own. */

import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, type Options, type State, type Surrounding, type WardwireError, type Wire } from '../src/index.js';
import { handClock } from './clock.js';
import { Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => {
  gate = await Gate.open();
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : { position: 'e:1' });
});
afterEach(() => gate.close());

async function open(options: Partial<Options> = {}): Promise<{ client: Wire; peer: Peer }> {
  const client = gate.client(options);
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await reaches(client, 'open');
  return { client, peer };
}

/** The state anew: TypeScript takes a getter for a constant. */
const now = (client: Wire): State => client.state;

for (const [how, ends] of [['close', 'stopped'], ['signOut', 'signed-out']] as const) {
  test(`who calls ${how}() when a channel is lost is not connected again`, async () => {
    const { client, peer } = await open();
    const room = client.channel('a');
    room.on('publication', () => undefined);
    await room.subscribe().catch(() => undefined);
    room.on('state', ({ kind }) => kind === 'waiting' && void Promise.resolve(client[how]()).catch(() => undefined));
    const states: string[] = [];
    client.on('state', ({ kind }) => states.push(kind));
    peer.socket.close(1012, 'restart');
    const { reason } = await reaches(client, 'ended');
    await new Promise(setImmediate);
    assert.deepEqual([reason.kind, states, now(client).kind], [ends, ['ended'], 'ended']);
  });
}

test('who closes as the page is cached is not suspended', async () => {
  let tell: (event: Surrounding) => void = () => assert.fail();
  const { client } = await open({ platform: { surroundings: (listener) => ((tell = listener), () => undefined) } });
  const room = client.channel('a');
  await room.subscribe();
  room.on('state', ({ kind }) => kind === 'waiting' && client.close());
  tell('pagehide');
  assert.equal(client.state.kind, 'ended');
});

test('who closes or signs out because it ended is told once', async () => {
  const { client, peer } = await open();
  const told: string[] = [];
  client.on('state', (state) => {
    if (state.kind !== 'ended') return;
    told.push(state.reason.kind);
    client.close();
    client.close();
  });
  client.on('signed-out', ({ by }) => {
    told.push(by);
    client.signOut().catch(() => undefined);
  });
  peer.socket.close(1002, 'protocol');
  await reaches(client, 'ended');
  await client.signOut();
  assert.deepEqual(told, ['closed', 'signed-out', 'client']);
});

test('who signs out as a publication is heard is the last to hear it, and the last state that a channel tells is that it is left', async () => {
  const { client, peer } = await open();
  const room = client.channel('a');
  const told: unknown[] = [];
  const { signal } = new AbortController();
  room.on('state', ({ kind }) => kind === 'live' && peer.publish('a', 'one', 1));
  room.on('state', ({ kind }) => told.push(kind));
  room.on('publication', ({ data }) => void (told.push(data), client.signOut().catch(() => undefined)), { signal });
  room.on('publication', ({ data }) => told.push(`${String(data)} after the sign-out`), { signal });
  await reaches(client, 'ended');
  assert.deepEqual(told, ['waiting', 'asking', 'live', 'one', 'waiting', 'idle']);
  assert.equal(getEventListeners(signal, 'abort').length, 0);

  client.start();
  await reaches(client, 'open');
  told.length = 0;
  const other = client.channel('b');
  other.on('state', ({ kind }) => kind === 'live' && client.signOut().catch(() => undefined));
  other.on('state', ({ kind }) => told.push(kind));
  other.on('publication', () => undefined);
  await reaches(client, 'ended');
  assert.deepEqual(told, ['waiting', 'asking', 'waiting', 'idle']);
});

test('a page that is shown again asks whether the server lives where no call asks that already: a server takes 32 at once', async () => {
  gate.answer = ({ method }) => (method === 'ping' ? {} : undefined);
  let tell: (event: Surrounding) => void = () => assert.fail();
  const { client, peer } = await open({ platform: { surroundings: (listener) => ((tell = listener), () => undefined) } });
  tell('visibilitychange');
  await once(peer.socket, 'message');
  await client.ping();
  const calls = Array.from({ length: 32 }, () => client.call('x').catch(({ code }: WardwireError) => code));
  for (const event of ['visibilitychange', 'online', 'resume'] as const) tell(event);
  // What is sent behind that would come after a ping.
  const late = client.call('y').catch(() => undefined);
  while (peer.calls.length < 34) await once(peer.socket, 'message');
  client.close();
  await once(peer.socket, 'close');
  assert.deepEqual(peer.calls.map(({ method }) => method), ['ping', 'ping', ...Array(32).fill('x')]);
  assert.deepEqual(await Promise.all([...calls, late]), [...Array(32).fill('closed'), undefined]);
});

test('who starts anew as a channel of the user before is forgotten has a connection of their own', async () => {
  const { client } = await open();
  const room = client.channel('a');
  await room.subscribe();
  const states: string[] = [];
  room.on('state', ({ kind }) => kind === 'idle' && client.start());
  client.on('state', ({ kind }) => states.push(kind));
  const next = gate.nextPeer();
  await client.signOut();
  await next;
  await reaches(client, 'open');
  assert.deepEqual(states, ['connecting', 'open']);
  assert.equal(gate.peers.filter(({ socket }) => socket.readyState === socket.OPEN).length, 1);
});

test('who subscribes again when a channel is taken away has the answer of that, not the error of before', async () => {
  const { client, peer } = await open();
  const room = client.channel('a');
  room.on('publication', () => undefined);
  await room.subscribe();
  const again = new Promise<unknown>((resolve) => room.on('state', ({ kind }) => kind === 'ended' && resolve(room.subscribe())));
  peer.notify('revoked', { channel: 'a', reason: 'expired' });
  assert.deepEqual(await again, { position: 'e:0', recovered: false });
});

test('what was sent before a connection was lost is not said to be unpublished because a repetition is refused', async () => {
  gate.answer = () => undefined;
  const { client, peer } = await open();
  const sent = client.channel('a').publish('perhaps published');
  const settled = sent.catch((error: unknown) => error);
  await once(peer.socket, 'message');
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  peer.socket.terminate();
  const error = (await settled) as WardwireError;
  assert.deepEqual([error.code, (error.cause as WardwireError).code], ['unconfirmed', 'forbidden']);
});

test('listeners that were taken back leave nothing at their signal', async () => {
  const { client } = await open();
  const room = client.channel('a');
  const { signal } = new AbortController();
  for (let n = 0; n < 10; n += 1) {
    client.on('state', () => undefined, { signal })();
    room.on('publication', () => undefined, { signal })();
    await room.publish(n, { signal });
    await client.ping({ signal });
    await room.messages({ signal }).return?.();
  }
  await Promise.allSettled([room.subscribe({ signal }), Promise.resolve().then(() => room.unsubscribe())]);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a listener that another one took back in the same turn is not told, nor one that had ended as it was given', async () => {
  const { client } = await open();
  const told: string[] = [];
  client.on('state', ({ kind }) => void (told.push(`first ${kind}`), second(), end.abort()));
  const second = client.on('state', ({ kind }) => told.push(`second ${kind}`));
  const end = new AbortController();
  client.on('state', ({ kind }) => told.push(`third ${kind}`), { signal: end.signal });
  client.on('state', ({ kind }) => told.push(`never ${kind}`), { signal: AbortSignal.abort() });
  client.close();
  assert.deepEqual(told, ['first ended']);
});

test('a proof that ended while nobody looked is replaced by a fresh token, or by nobody', async () => {
  let token = 'first';
  const clock = handClock();
  const { client, peer } = await open({ auth: bearer(() => token), platform: { clock } });
  token = 'fresh';
  peer.socket.close(3000, 'expired');
  await reaches(client, 'waiting');
  clock.fire(0);
  await reaches(client, 'open');
  assert.equal(gate.tickets().at(-1)?.headers.authorization, 'Bearer fresh');
  gate.refusals.push({ status: 401, code: 'expired' });
  gate.peers.at(-1)?.socket.close(3000, 'expired');
  await reaches(client, 'waiting');
  client.start();
  const { reason } = await reaches(client, 'ended');
  assert.equal(reason.kind === 'refused' && reason.error.code, 'expired');
});

test('every promise is settled, whichever way it ends', async () => {
  const endings: Record<string, (client: Wire, peer: Peer, abort: AbortController) => unknown> = {
    close: (client) => client.close(),
    'sign-out': (client) => client.signOut(),
    abort: (_, __, abort) => abort.abort(),
    'errors': (_, { socket }) => socket.close(1008, 'errors'),
    expired: (_, { socket }) => socket.close(3003, 'subject'),
    malformed: (client, { socket }) => {
      client.on('state', ({ kind }) => kind === 'waiting' && client.close());
      socket.send('nonsense');
    },
  };
  for (const [name, end] of Object.entries(endings)) {
    gate.answer = () => undefined;
    const abort = new AbortController();
    const { client, peer } = await open();
    const room = client.channel('a');
    const { signal } = abort;
    const all = [
      room.subscribe({ signal }),
      room.publish(1, { signal }),
      room.publish(2, { signal, volatile: true }),
      room.messages({ signal }).next(),
      client.call('x', {}, { signal }),
      client.refresh('t', { signal }),
      client.ping({ signal }),
    ];
    await Promise.all([...Array(5)].map(() => once(peer.socket, 'message')));
    end(client, peer, abort);
    const settled = await Promise.allSettled(all);
    assert.equal(settled.length, 7, name);
    client.close();
  }
});
