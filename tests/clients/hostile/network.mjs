// A network that means ill, between one client and the server. TLS goes through it untouched, so that all it can do is what
// any network can: refuse, cut, fall silent, keep bytes back, and bring connections out of their order.

import { once } from 'node:events';
import { connect as dial, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * What becomes of a connection, in percent, of those that a client fetches a ticket by and of its sockets.
 *
 * refused: closed at once. cut: ended in the middle of what is sent. deaf: one direction, or both, falls silent and nobody
 * is told. late: cut for the client, while what it sent last comes to the server after its next socket has spoken.
 */
const fates = {
  tickets: { refused: 5, cut: 5, deaf: 5, late: 5, calm: 80 },
  sockets: { refused: 10, cut: 40, deaf: 20, late: 30, calm: 0 },
};

/** How many connections in a hundred are kept waiting until one that came later is through. */
const heldPercent = 15;

/** A connection is struck in one of its first 2^N pieces, early ones as likely as late ones by their logarithm. */
const longest = { tickets: 3, sockets: 7 };

/** Of a connection, in milliseconds; one is drawn, and each piece takes up to that. */
const delays = [0, 0, 5, 40];

/** What a socket has to have sent before something of the one before it comes to the server. */
const strayAfterBytes = 4096;

/** Connections of all clients that wait for a later one. */
const held = new Set();

export class HostileNetwork {
  /** How often what was done. */
  faults = { refused: 0, cut: 0, deaf: 0, late: 0, held: 0 };
  budget;
  #random;
  #server;
  #doors = [];
  #links = new Set();
  /** What is still to come of sockets that were cut. */
  #strays = [];
  #calm = false;

  constructor(server, random, budget) {
    this.#server = server;
    this.#random = random;
    this.budget = budget;
  }

  /** Two doors, so that it can be told from outside when an attempt begins: tickets are fetched by the first. */
  async open() {
    for (const door of ['tickets', 'sockets']) {
      const listener = createServer((near) => this.#accept(door, near));
      listener.listen(0, '127.0.0.1');
      await once(listener, 'listening');
      this.#doors.push(listener);
    }
    const [tickets, sockets] = this.#doors.map((listener) => `localhost:${listener.address().port}`);
    return { tickets, sockets };
  }

  /** Cuts everything for the last time: what comes now is passed on. */
  heal() {
    this.#calm = true;
    for (const link of this.#links) link.end();
    for (const stray of this.#strays.splice(0)) stray();
  }

  close() {
    for (const listener of this.#doors) listener.close();
    for (const link of this.#links) link.end();
  }

  /** Tells what a socket has sent so far. */
  sent(bytes) {
    if (bytes >= strayAfterBytes) for (const stray of this.#strays.splice(0)) stray();
  }

  stray(release) {
    this.#strays.push(release);
  }

  #accept(door, near) {
    const attempt = this.budget.knock(door);
    near.on('error', () => undefined);
    near.on('close', () => this.budget.act(attempt));
    const fate = this.#calm ? 'calm' : this.#draw(fates[door]);
    if (fate !== 'calm') this.faults[fate] += 1;
    if (fate === 'refused') return void near.resetAndDestroy();
    const plan = {
      fate,
      strikeAt: fate === 'calm' ? Infinity : Math.floor(2 ** (this.#random() * longest[door])),
      delayMs: this.#calm ? 0 : delays[Math.floor(this.#random() * delays.length)],
      silent: ['up', 'down', 'both'][Math.floor(this.#random() * 3)],
    };
    const link = new Link(this, near, dial(this.#server), plan, this.#random, () => this.budget.act(attempt));
    this.#links.add(link);
    link.ended = () => this.#links.delete(link);
    if (this.#calm || this.#random() * 100 >= heldPercent) return void link.released();
    this.faults.held += 1;
    held.add(link);
  }

  #draw(percents) {
    let left = this.#random() * 100;
    for (const [fate, percent] of Object.entries(percents)) {
      left -= percent;
      if (left < 0) return fate;
    }
    return 'calm';
  }
}

/** One connection: `near` is the client's end, `far` the server's. */
class Link {
  ended = () => undefined;
  released;
  #network;
  #near;
  #far;
  #plan;
  #random;
  #tails;
  #pieces = 0;
  #up = 0;
  #struck = false;

  constructor(network, near, far, plan, random, acted) {
    this.#network = network;
    this.#near = near;
    this.#far = far;
    this.#plan = plan;
    this.#random = random;
    const open = new Promise((resolve) => (this.released = resolve));
    // Whoever was kept waiting comes after this one.
    const through = Promise.all([open, once(far, 'connect')]).then(() => {
      for (const link of held) link.released();
      held.clear();
    });
    through.catch(() => this.end());
    this.#tails = { up: through, down: through };
    near.on('data', (bytes) => {
      acted();
      this.#up += bytes.length;
      this.#network.sent(this.#up);
      this.#take('up', bytes);
    });
    far.on('data', (bytes) => this.#take('down', bytes));
    far.on('error', () => undefined);
    near.on('close', () => this.#close('up'));
    far.on('close', () => this.#close('down'));
  }

  /** Ends it for both. */
  end() {
    held.delete(this);
    this.#near.destroy();
    this.#far.destroy();
    this.ended();
  }

  #take(way, bytes) {
    if (this.#struck) return void (this.#hears(way) && this.#pass(way, bytes));
    this.#pieces += 1;
    if (this.#pieces < this.#plan.strikeAt) return void this.#pass(way, bytes);
    this.#struck = true;
    this.#strike(way, bytes, Math.floor(this.#random() * bytes.length));
  }

  /** What the plan says, after `left` of these bytes. */
  #strike(way, bytes, left) {
    const { fate } = this.#plan;
    if (fate === 'late' && way === 'up') {
      this.#pass(way, bytes.subarray(0, left));
      this.#network.stray(() => this.#pass(way, bytes.subarray(left)).then(() => this.#far.end()));
      return void this.#near.resetAndDestroy();
    }
    if (this.#hears(way)) return void this.#pass(way, bytes);
    const passed = this.#pass(way, bytes.subarray(0, left));
    if (fate !== 'deaf') passed.then(() => (this.#random() < 0.5 ? this.end() : this.#near.end()));
  }

  /** Whether this direction lives on in a connection that was struck. */
  #hears(way) {
    return this.#plan.fate === 'deaf' && this.#plan.silent !== 'both' && this.#plan.silent !== way;
  }

  #pass(way, bytes) {
    const to = way === 'up' ? this.#far : this.#near;
    const { delayMs } = this.#plan;
    const passed = this.#tails[way].then(async () => {
      if (delayMs > 0) await pause(this.#random() * delayMs);
      if (to.writable) to.write(bytes);
    });
    this.#tails[way] = passed.catch(() => undefined);
    return this.#tails[way];
  }

  /** One end is gone: the other hears of it when it has got what was on its way. */
  #close(way) {
    if (this.#struck && this.#plan.fate === 'late' && way === 'up') return;
    void this.#tails[way].then(() => this.end(), () => this.end());
  }
}

export const leastShare = 0.75;

/**
 * What a client may do by the documentation: the wait before an attempt is drawn from [0, min(cap, base * 2^failures)], and
 * only a connection that held `stableAfterMs` clears the count of failures. The clients draw no less than `leastShare` of
 * that, so that they have to have waited for it.
 */
export class Budget {
  attempts = 0;
  waitedMs = 0;
  leastMs = 0;
  #backoff;
  #stableMs;
  #failures = 0;
  #socketAt = null;
  #actedAt = null;

  constructor({ backoff, stableAfterMs }) {
    this.#backoff = backoff;
    // Seen from here a connection holds a little less long than the client may think.
    this.#stableMs = stableAfterMs * 0.9;
  }

  /** A connection comes. Gives the number of the attempt that it belongs to. */
  knock(door) {
    const now = performance.now();
    if (door === 'sockets') this.#socketAt = now;
    else {
      if (this.#actedAt !== null) this.#wait(now);
      this.attempts += 1;
      this.#socketAt = null;
    }
    this.#actedAt = now;
    return this.attempts;
  }

  /** The client did something in this attempt; the last such thing is where its wait began. */
  act(attempt) {
    if (attempt === this.attempts) this.#actedAt = performance.now();
  }

  #wait(now) {
    const { baseMs, capMs } = this.#backoff;
    if (this.#socketAt !== null && this.#actedAt - this.#socketAt >= this.#stableMs) this.#failures = 0;
    this.waitedMs += now - this.#actedAt;
    this.leastMs += Math.min(capMs, baseMs * 2 ** this.#failures) * leastShare;
    this.#failures += 1;
  }
}
