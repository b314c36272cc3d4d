// Our own client where the network means ill: what was acknowledged is read once, attempts stay within the budget, memory is
// flat. HOSTILE_SECONDS runs it for so long, otherwise a number of faults ends it; HOSTILE_SEED chooses the faults.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { bearer, connect } from '../../../packages/client/dist/index.js';
import { ca, host, otherToken, token } from '../gate.mjs';
import { trusting } from '../trusting.mjs';
import { Budget, generator, HostileNetwork, leastShare } from './network.mjs';

const seconds = Number(process.env.HOSTILE_SECONDS ?? 0);
const seed = Number(process.env.HOSTILE_SEED ?? 1);
/** Connections that are harmed before the short run ends. */
const enough = 60;
const writers = 6;

/** Every time of the client is a twentieth of its default. */
const times = {
  backoff: { baseMs: 25, capMs: 1500 },
  stableAfterMs: 250,
  connectTimeoutMs: 750,
  requestTimeoutMs: 500,
  pingEveryMs: 1250,
};
/** The default, and the most that a publication may wait. */
const publishTimeouts = [1500, 12_000];

/** What became of a publication: what its promise said. */
const told = { open: 0, acknowledged: 1, unconfirmed: 2, not: 3 };
/** Publications of one writer, at most; all that is known of them is kept in arrays that never grow. */
const most = 50_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const trusted = trusting(ca);

/** ws waits half a minute for a peer that does not close; what it keeps meanwhile is none of the client's. */
class BriefWebSocket extends trusted.WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { closeTimeout: 1 });
  }
}

/** A client behind a network of its own. */
async function behind(random, own, options = {}) {
  const [hostname, port] = host.split(':');
  const network = new HostileNetwork({ host: hostname, port: Number(port) }, random, new Budget(times));
  const { tickets, sockets } = await network.open();
  const platform = {
    WebSocket: BriefWebSocket,
    fetch: (input, init) => trusted.fetch(String(input).replace(sockets, tickets), init),
    // Of the interval its upper end, so that each wait has a least length.
    random: () => leastShare + random() * (1 - leastShare),
  };
  return { network, wire: connect(`wss://${sockets}/live`, { auth: bearer(() => own), platform, ...times, ...options }) };
}

/** What one reader has read: how often each publication came, and whether in their order. */
class Ledger {
  counts = Array.from({ length: writers }, () => new Uint8Array(most));
  faults = [];
  #epoch = null;
  #offset = -1;
  /** Whether all that was published before the mark is read. */
  ended = false;

  take({ data, position }) {
    const [epoch, offset] = position.split(':');
    if (this.#epoch !== null && (epoch !== this.#epoch || Number(offset) <= this.#offset)) this.faults.push(`${position} came after ${this.#epoch}:${this.#offset}`);
    this.#epoch = epoch;
    this.#offset = Number(offset);
    if (data === 'end') return void (this.ended = true);
    const { writer, n } = data;
    this.counts[writer][n] += 1;
  }
}

/** Publishes a few at a time for as long as it is asked to, and notes what the promises say. */
async function write(room, writer, random, notes, going) {
  let n = 0;
  while (going() && n < most - 3) {
    const few = Array.from({ length: 1 + Math.floor(random() * 3) }, () => publish(room, { writer, n: n++, fill: fill(random) }, notes));
    await Promise.all(few);
    await pause(100 + random() * 200);
  }
  return n;
}

async function publish(room, data, notes) {
  const { writer, n } = data;
  try {
    const { duplicate } = await room.publish(data);
    notes.told[writer][n] = told.acknowledged;
    if (duplicate) notes.repeated += 1;
  } catch (error) {
    assert.ok(['unconfirmed', 'not-sent', 'rate'].includes(error.code), `${error.code}: ${error.stack}`);
    notes.told[writer][n] = error.code === 'unconfirmed' ? told.unconfirmed : told.not;
  }
}

/** Mostly little, seldom more than one record of TLS. */
function fill(random) {
  return 'x'.repeat(random() < 0.003 ? 20_000 : Math.floor(random() * 200));
}

function heapNow() {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('what is acknowledged is read once, by as many attempts as documented, in memory that stays flat', { timeout: (seconds + 120) * 1000 }, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const random = generator(seed);
  const each = () => generator(random() * 2 ** 32);
  const room = `storm/${process.pid}`;
  const authors = await Promise.all(Array.from({ length: writers }, (_, at) => behind(each(), at % 2 ? otherToken : token, { publishTimeoutMs: publishTimeouts[at % 2] })));
  const readers = await Promise.all([behind(each(), token), behind(each(), otherToken)]);
  const witness = connect(`wss://${host}/live`, { auth: bearer(() => token), platform: trusted });
  const all = [...authors, ...readers];
  // None may give up for what a network does.
  const ended = [];
  for (const [at, { wire }] of all.entries()) wire.on('state', (state) => void (state.kind === 'ended' && state.reason.kind !== 'stopped' && ended.push([at, state.reason])));
  t.after(() => {
    witness.close();
    for (const { wire, network } of all) (wire.close(), network.close());
  });

  // By a listener, by an iteration, and by one whom nothing happens to.
  const ledgers = [new Ledger(), new Ledger(), new Ledger()];
  const gaps = [];
  const rooms = [...readers.map(({ wire }) => wire), witness].map((wire) => wire.channel(room));
  for (const channel of rooms) {
    let followed = false;
    channel.on('state', (state) => {
      if (state.kind !== 'live') return;
      if (followed && !state.recovered) gaps.push(state.position);
      followed = true;
    });
  }
  for (const at of [0, 2]) rooms[at].on('publication', (publication) => ledgers[at].take(publication));
  const iteration = (async () => {
    for await (const publication of rooms[1].messages()) ledgers[1].take(publication);
  })();
  await Promise.all(rooms.map((channel) => channel.subscribe()));

  const notes = { told: Array.from({ length: writers }, () => new Uint8Array(most)), repeated: 0 };
  const harmed = () => all.reduce((sum, { network: { faults } }) => sum + faults.refused + faults.cut + faults.deaf + faults.late, 0);
  const until = performance.now() + seconds * 1000;
  const started = performance.now();
  const going = () => ended.length === 0 && (seconds > 0 ? performance.now() < until : harmed() < enough);
  const heap = watchHeap(() => (seconds > 0 ? (performance.now() - started) / (seconds * 1000) : harmed() / enough));
  const counts = await Promise.all(authors.map(({ wire }, at) => write(wire.channel(room), at, each(), notes, going)));
  const { early, late } = heap.end();

  assert.deepEqual(ended, []);
  for (const { network } of all) network.heal();
  // Again and again, so that also a reader that comes back without what it missed reads one.
  while (ledgers.some((ledger) => !ledger.ended)) {
    await witness.channel(room).publish('end');
    await pause(50);
  }
  witness.close();
  for (const { wire } of all) wire.close();
  await iteration;

  const sum = { published: 0, acknowledged: 0, unconfirmed: 0, not: 0 };
  const wrong = [];
  for (let writer = 0; writer < writers; writer += 1) {
    for (let n = 0; n < counts[writer]; n += 1) {
      const said = notes.told[writer][n];
      const came = ledgers.map((ledger) => ledger.counts[writer][n]);
      sum.published += 1;
      for (const word of ['acknowledged', 'unconfirmed', 'not']) sum[word] += said === told[word] ? 1 : 0;
      const allowed = { [told.acknowledged]: [1], [told.unconfirmed]: [0, 1], [told.not]: [0] }[said] ?? [];
      if (!came.every((count) => count === came[0] && allowed.includes(count))) wrong.push({ writer, n, said, came });
    }
  }
  const faults = Object.fromEntries(['refused', 'cut', 'deaf', 'late', 'held'].map((name) => [name, all.reduce((total, { network }) => total + network.faults[name], 0)]));
  const attempts = all.map(({ network: { budget } }) => ({ attempts: budget.attempts, waitedMs: Math.round(budget.waitedMs), leastMs: Math.round(budget.leastMs) }));
  t.diagnostic(JSON.stringify({ faults, ...sum, repeated: notes.repeated, attempts, heap: { early, late }, seconds: Math.round((performance.now() - started) / 1000) }));

  assert.deepEqual(wrong.slice(0, 10), []);
  for (const ledger of ledgers) assert.deepEqual(ledger.faults.slice(0, 10), []);
  assert.deepEqual(gaps, []);
  for (const { attempts: count, waitedMs, leastMs } of attempts) assert.ok(waitedMs >= leastMs, `${count} attempts after ${waitedMs} ms of waiting, where at least ${leastMs} are documented`);
  assert.ok(late <= early * 1.1 + 1_000_000, `${early} bytes early, ${late} late`);
  // Nothing of that means anything unless the worst has happened.
  assert.ok(sum.acknowledged > 0 && notes.repeated > 0 && Object.values(faults).every((count) => count > 0));
});

/** Looks again and again how much lives, and keeps the least of the second and of the last quarter. */
function watchHeap(progress) {
  let early = Infinity;
  let late = Infinity;
  const timer = setInterval(() => {
    const part = progress();
    if (part >= 0.25 && part < 0.5) early = Math.min(early, heapNow());
    if (part >= 0.75) late = Math.min(late, heapNow());
  }, 250);
  return {
    end() {
      clearInterval(timer);
      return { early, late };
    },
  };
}
