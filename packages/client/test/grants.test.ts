import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { type Channel, subscribeByGrant, type SubscriptionState, WardwireError } from '../src/index.js';
import { type Call, Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';
import { uncaught } from './uncaught.js';

let gate: Gate;
/** Grants that hold, and those that were fetched. */
let good: Set<string>;
let fetched: string[];
beforeEach(async () => {
  gate = await Gate.open();
  [good, fetched] = [new Set(), []];
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  gate.answer = (call: Call) => {
    const { grant } = call.params as { grant: string };
    if (!good.has(grant)) throw new RpcFailure(-32001, { word: 'forbidden' });
    return subscribed(call, 4, 'since' in (call.params as object));
  };
});
afterEach(() => {
  mock.timers.reset();
  return gate.close();
});

const grant = (): string => {
  const made = `g${fetched.length + 1}`;
  fetched.push(made);
  return made;
};

async function open(): Promise<{ room: Channel; peer: Peer }> {
  const client = gate.client({});
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await reaches(client, 'open');
  const room = client.channel('room/1');
  return { room, peer };
}

const enters = (room: Channel, kind: SubscriptionState['kind'], times = 1): Promise<void> =>
  new Promise((resolve) => {
    const stop = room.on('state', (state) => {
      if (state.kind !== kind || --times > 0) return;
      stop();
      resolve();
    });
  });

/** Lets time pass, as far as this package asks what time it is. */
const later = (): void => mock.timers.setTime(Date.now() + 60_000);

/** The server says that the grant has ended, and the client has heard it. */
async function expire(room: Channel, peer: Peer): Promise<void> {
  const ended = enters(room, 'ended');
  peer.notify('revoked', { channel: 'room/1', reason: 'expired' });
  await ended;
  await new Promise(setImmediate);
}

test('a grant that has ended is followed by a fresh one, and nothing is missed', async () => {
  good = new Set(['g1', 'g2']);
  const { room, peer } = await open();
  assert.equal((await subscribeByGrant(room, grant)).position, 'e:4');
  room.on('publication', () => undefined);
  later();
  const again = enters(room, 'live');
  peer.notify('revoked', { channel: 'room/1', reason: 'expired' });
  await again;
  assert.deepEqual(fetched, ['g1', 'g2']);
  assert.deepEqual(peer.calls.at(-1)?.params, { channel: 'room/1', since: 'e:4', grant: 'g2' });
});

test('after a reconnect a grant that has ended meanwhile is, too', async () => {
  good = new Set(['g1', 'g2']);
  const { room, peer } = await open();
  await subscribeByGrant(room, grant);
  room.on('publication', () => undefined);
  later();
  good.delete('g1');
  const again = enters(room, 'live');
  peer.socket.close(1012, 'restart');
  await again;
  assert.deepEqual(gate.peers.at(-1)?.calls.map((call) => (call.params as { grant: string }).grant), ['g1', 'g2']);
});

test('one that does not hold, or not for long, and one that cannot be had is not asked for again and again', async (context) => {
  const seen = uncaught(context);
  const { room, peer } = await open();
  const refused = (error: unknown) => error instanceof WardwireError && error.code === 'forbidden';
  await assert.rejects(subscribeByGrant(room, grant), refused);

  good = new Set(['g2', 'g3', 'g4']);
  await subscribeByGrant(room, grant);
  await expire(room, peer);
  assert.deepEqual(fetched, ['g1', 'g2'], 'a grant of a moment');

  let broken = false;
  const some = async (): Promise<string> => {
    if (broken) throw new Error('no backend');
    return grant();
  };
  await subscribeByGrant(room, some);
  broken = true;
  later();
  const stop = room.on('state', () => undefined);
  await expire(room, peer);
  assert.equal(room.state.kind, 'ended', 'to whoever listens');
  stop();
  assert.equal(room.state.kind, 'idle');
  assert.equal(fetched.length, 3);
  // Nobody waits for this one.
  assert.deepEqual(seen.map(String), ['Error: no backend']);
  await assert.rejects(subscribeByGrant(room, some), /no backend/);

  // However long it takes to be refused.
  const slow = (): string => {
    later();
    return grant();
  };
  await subscribeByGrant(room, slow);
  good.clear();
  later();
  const refusal = enters(room, 'ended', 2);
  peer.notify('revoked', { channel: 'room/1', reason: 'expired' });
  await refusal;
  await new Promise(setImmediate);
  assert.equal(fetched.length, 5);
  assert.equal(seen.length, 1, 'what the server says is in the state');
});

test('who was refused, leaves the channel, loses the right, or aborts asks for no grant any more', async () => {
  const { room, peer } = await open();
  good = new Set(['mine', 'g2', 'g3', 'g4']);
  const byItself = async (): Promise<void> => {
    const before = fetched.length;
    await room.subscribe({ grant: 'mine' });
    later();
    await expire(room, peer);
    assert.equal(fetched.length, before);
  };
  await assert.rejects(subscribeByGrant(room, grant));
  await byItself();

  await subscribeByGrant(room, grant);
  room.unsubscribe();
  await byItself();

  await subscribeByGrant(room, grant);
  later();
  const ended = enters(room, 'ended');
  peer.notify('revoked', { channel: 'room/1', reason: 'rights' });
  await ended;
  await byItself();
  assert.deepEqual(fetched, ['g1', 'g2', 'g3']);

  const end = new AbortController();
  const waits = subscribeByGrant(
    room,
    async (signal) => {
      end.abort(new Error('enough'));
      assert.equal(signal, end.signal);
      return grant();
    },
    { signal: end.signal },
  );
  await assert.rejects(waits, /enough/);
  assert.ok(peer.calls.every((call) => (call.params as { grant?: string }).grant !== 'g4'));
});

test('a grant that was on its way as its user signed out, or left the channel, is not used', async () => {
  let give: ((grant: string) => void) | undefined;
  const slow = (): Promise<string> => new Promise((resolve) => (give = resolve));
  good = new Set(['g1', 'late']);
  const client = gate.client();
  client.start();
  await reaches(client, 'open');
  const room = client.channel('room/1');
  const waits = assert.rejects(subscribeByGrant(room, slow), { code: 'unsubscribed' });
  await client.signOut();
  client.start();
  await reaches(client, 'open');
  give?.('late');
  await waits;
  assert.equal(room.state.kind, 'idle');

  await subscribeByGrant(room, () => (fetched.length === 0 ? grant() : slow()));
  room.on('publication', () => undefined);
  later();
  give = undefined;
  await expire(room, gate.peers.at(-1)!);
  room.unsubscribe();
  (give as unknown as (grant: string) => void)('late');
  await new Promise(setImmediate);
  await client.ping().catch(() => undefined);
  assert.deepEqual(gate.peers.at(-1)?.calls.filter(({ method }) => method === 'subscribe').length, 1);
});

test('with a fresh grant a channel is taken up where it was, also where nobody listens meanwhile', async () => {
  good = new Set(['g1', 'g2']);
  const { room, peer } = await open();
  await subscribeByGrant(room, grant);
  later();
  const again = enters(room, 'live');
  peer.notify('revoked', { channel: 'room/1', reason: 'expired' });
  await again;
  assert.deepEqual(peer.calls.at(-1)?.params, { channel: 'room/1', since: 'e:4', grant: 'g2' });
});
