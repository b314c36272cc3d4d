/** The diagrams of docs/protocol.md are this client: each way in them is gone, and no other is seen. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bearer, type Options, session, type State, type SubscriptionState, type Surrounding, type Wire } from '../src/index.js';
import { type HandClock, handClock } from './clock.js';
import { Gate, type Peer, reaches, RpcFailure, subscribed } from './gate.js';

const page = readFileSync(new URL('../../../../../docs/protocol.md', import.meta.url), 'utf8');
const diagrams = [...page.matchAll(/```mermaid\nstateDiagram-v2\n(.*?)```/gs)].map(([, body = '']) =>
  [...body.matchAll(/^ +(\S+ --> \w+)/gm)].map(([, way = '']) => way).filter((way) => way !== '[*] --> idle'),
);

// As the compiler knows them: none is missing and none too many.
const states: Readonly<Record<State['kind'], true>> = { idle: true, connecting: true, open: true, waiting: true, suspended: true, ended: true };
const subscriptions: Readonly<Record<SubscriptionState['kind'], true>> = { idle: true, waiting: true, asking: true, live: true, ended: true };

test('the diagrams have the states of this client', () => {
  const named = diagrams.map((ways) => [...new Set(ways.flatMap((way) => way.split(' --> ')))].sort());
  assert.deepEqual(named, [states, subscriptions].map((known) => Object.keys(known).sort()));
});

let gate: Gate;
let clock: HandClock;
let tell: (event: Surrounding) => void;
let ways: Set<string>;

/** Notes each way from one state to the next. */
function note(source: { readonly state: { readonly kind: string }; on(name: 'state', listener: (state: { readonly kind: string }) => void): unknown }): void {
  const own = (ways = new Set());
  let { kind } = source.state;
  source.on('state', (state) => {
    own.add(`${kind} --> ${state.kind}`);
    ({ kind } = state);
  });
}

function idle(options: Partial<Options> = {}): Wire {
  clock = handClock();
  const client = gate.client({ ...options, platform: { clock, random: () => 0.5, surroundings: (listener) => ((tell = listener), () => undefined) } });
  note(client);
  return client;
}

/** Forever, as its token never comes. */
function connecting(): Wire {
  const client = idle({ auth: bearer(() => new Promise<string>(() => undefined)) });
  client.start();
  return client;
}

async function open(): Promise<readonly [Wire, Peer]> {
  const client = idle();
  const arrived = gate.nextPeer();
  client.start();
  const peer = await arrived;
  await reaches(client, 'open');
  return [client, peer];
}

async function waiting(): Promise<Wire> {
  gate.refusals.push({ status: 503, code: 'unavailable' });
  const client = idle();
  client.start();
  await reaches(client, 'waiting');
  return client;
}

function suspended(): Wire {
  const client = connecting();
  tell('pagehide');
  return client;
}

/** Goes each way, and holds what was seen against a diagram. */
async function go(diagram: readonly string[] | undefined, all: Readonly<Record<string, () => unknown>>): Promise<void> {
  assert.deepEqual(Object.keys(all).sort(), [...(diagram ?? [])].sort());
  for (const [way, along] of Object.entries(all)) {
    gate = await Gate.open();
    await along();
    const seen = [...ways];
    await gate.close();
    assert.ok(seen.includes(way), `${way} was not gone`);
    for (const gone of seen) assert.ok(diagram?.includes(gone), `${gone} is not in the diagram`);
  }
}

test('a connection goes the ways of its diagram', () =>
  go(diagrams[0], {
    'idle --> connecting': () => idle().start(),
    'idle --> ended': () => idle().close(),
    'connecting --> connecting': async () => {
      // The gate knows no cookie.
      const client = idle({ auth: session() });
      client.start();
      await reaches(client, 'open');
    },
    'connecting --> open': open,
    'connecting --> waiting': waiting,
    'connecting --> ended': () => connecting().close(),
    'connecting --> suspended': suspended,
    'open --> waiting': async () => {
      const [client, { socket }] = await open();
      socket.close(1012, 'restart');
      await reaches(client, 'waiting');
    },
    'open --> ended': async () => {
      const [client, { socket }] = await open();
      socket.close(3003, 'subject');
      await reaches(client, 'ended');
    },
    'open --> suspended': async () => {
      await open();
      tell('pagehide');
    },
    'waiting --> connecting': async () => {
      await waiting();
      clock.fire();
    },
    'waiting --> waiting': async () => {
      await waiting();
      tell('online');
    },
    'waiting --> ended': async () => (await waiting()).close(),
    'waiting --> suspended': async () => {
      await waiting();
      tell('pagehide');
    },
    'suspended --> connecting': () => {
      suspended();
      tell('pageshow');
    },
    'suspended --> ended': () => suspended().close(),
    'ended --> ended': async () => {
      const client = idle();
      client.close();
      await client.signOut();
    },
    'ended --> connecting': () => {
      const client = idle();
      client.close();
      client.start();
    },
  }));

const unanswered = (): undefined => undefined;
const forbidden = (): never => {
  throw new RpcFailure(-32001);
};

/** Somebody who follows, over a connection of which the gate answers so, until the subscription is in a state. */
async function following(answer: Gate['answer'], kind: string) {
  gate.answer = answer;
  const [client, peer] = await open();
  const room = client.channel('a');
  note(room);
  const reached = (wanted: string) => new Promise<void>((resolve) => room.on('state', (state) => state.kind === wanted && resolve()));
  const there = reached(kind);
  const ask = (): void => void room.subscribe().catch(() => undefined);
  ask();
  await there;
  return { client, peer, room, reached, ask };
}
const answered: Gate['answer'] = (call) => (call.method === 'subscribe' ? subscribed(call, 1) : {});
const live = () => following(answered, 'live');

test('a subscription goes the ways of its diagram', () =>
  go(diagrams[1], {
    'idle --> waiting': live,
    'waiting --> asking': live,
    'waiting --> idle': () => {
      const room = connecting().channel('a');
      note(room);
      void room.subscribe().catch(() => undefined);
      room.unsubscribe();
    },
    'asking --> live': live,
    'asking --> waiting': async () => {
      const { peer, reached } = await following(unanswered, 'asking');
      const lost = reached('waiting');
      peer.socket.close(1012, 'restart');
      await lost;
    },
    'asking --> ended': () => following(forbidden, 'ended'),
    'asking --> idle': async () => (await following(unanswered, 'asking')).room.unsubscribe(),
    'live --> waiting': async () => {
      const { peer, reached } = await live();
      const lost = reached('waiting');
      peer.socket.close(1012, 'restart');
      await lost;
    },
    'live --> ended': async () => {
      const { peer, reached } = await live();
      const lost = reached('ended');
      peer.notify('revoked', { channel: 'a', reason: 'rights' });
      await lost;
    },
    'live --> idle': async () => (await live()).room.unsubscribe(),
    'ended --> waiting': async () => (await following(forbidden, 'ended')).ask(),
    'ended --> idle': async () => (await following(forbidden, 'ended')).client.signOut(),
  }));
