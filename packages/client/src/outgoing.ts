/**
 * What waits to be published. Each publication has an id, under which the server publishes it once, so it can be sent
 * again after a reconnect; and each promise is kept: acknowledged, or rejected with whether it may have been published.
 */

import { type Published, readPublished } from './answers.js';
import { orAborted } from './emitter.js';
import { ConnectionError, UsageError, WardwireError } from './error.js';
import type { Send } from './following.js';
import type { Clock, Timer } from './platform.js';

/** Bounds in pieces, UTF-16 units and milliseconds. */
export interface OutgoingLimits {
  readonly maxQueued: number;
  readonly maxQueuedChars: number;
  /** How long a publication may wait in all; under the five minutes for which the server remembers ids. */
  readonly publishMs: number;
}

interface Item {
  readonly params: string;
  readonly timer: Timer;
  readonly settle: (outcome: Published | WardwireError) => void;
  /** Whether it was ever handed to a socket. */
  sent: boolean;
  underway: boolean;
}

/** So many are underway at once: the server's batch. More would fill its queue for this socket after a reconnect. */
const window = 32;

/** When the socket's own buffer is full it tells nobody when there is room. */
const retryMs = 50;

export class Outgoing {
  readonly #items = new Set<Item>();
  readonly #limits: OutgoingLimits;
  readonly #clock: Clock;
  readonly #malformed: () => void;
  #chars = 0;
  #underway = 0;
  #send: Send | null = null;
  #retry: Timer | null = null;

  constructor(limits: OutgoingLimits, clock: Clock, malformed: () => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#malformed = malformed;
  }

  /** Queues a publication; `params` is JSON with an `id`. */
  add(params: string, signal: AbortSignal | undefined): Promise<Published> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#items.size >= this.#limits.maxQueued || this.#chars + params.length > this.#limits.maxQueuedChars) {
      return Promise.reject(new UsageError({ code: 'queue-full', title: 'Too much waits to be published.' }));
    }
    let given: Item | null = null;
    const promise = new Promise<Published>((resolve, reject) => {
      const settle = (outcome: Published | WardwireError): void => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
      const timer = this.#clock.after(this.#limits.publishMs, () => this.#settle(item, unanswered(item)));
      const item: Item = { params, timer, settle, sent: false, underway: false };
      given = item;
      this.#items.add(item);
      this.#chars += params.length;
    });
    this.#pump();
    const whole = orAborted(promise, signal);
    // What nobody waits for any more is not sent later.
    whole.catch(() => given && this.#forget(given));
    return whole;
  }

  /** Sends what waits, oldest first, over this connection; `null` says that there is none. */
  resume(send: Send | null): void {
    this.#send = send;
    this.#underway = 0;
    for (const item of this.#items) item.underway = false;
    this.#pump();
  }

  /** Rejects all that waits. */
  abandon(error: WardwireError): void {
    this.#send = null;
    for (const item of [...this.#items]) this.#settle(item, item.sent ? unanswered(item, error) : error);
  }

  #pump(): void {
    const send = this.#send;
    if (send === null) return;
    for (const item of this.#items) {
      if (this.#underway >= window) return;
      if (item.underway) continue;
      item.sent = item.underway = true;
      this.#underway += 1;
      void this.#deliver(item, send);
    }
  }

  async #deliver(item: Item, send: Send): Promise<void> {
    let outcome: Published | WardwireError | null;
    try {
      outcome = readPublished(await send('publish', item.params));
    } catch (error) {
      outcome = error as WardwireError;
    }
    // Of a connection before: whatever it says, the next one asks again.
    if (this.#send !== send || (outcome instanceof Error && outcome.code === 'disconnected')) return;
    this.#underway -= 1;
    if (outcome instanceof Error && outcome.code === 'queue-full') return this.#later(item);
    if (outcome === null) {
      this.#settle(item, new ConnectionError({ code: 'malformed-answer', title: 'The server broke the protocol.' }));
      return this.#malformed();
    }
    this.#settle(item, outcome instanceof Error && outcome.code === 'timeout' ? unanswered(item, outcome) : outcome);
    this.#pump();
  }

  #later(item: Item): void {
    item.underway = false;
    this.#retry?.cancel();
    this.#retry = this.#clock.after(retryMs, () => this.#pump());
  }

  #settle(item: Item, outcome: Published | WardwireError): void {
    this.#forget(item);
    item.settle(outcome);
  }

  #forget(item: Item): void {
    if (!this.#items.delete(item)) return;
    this.#chars -= item.params.length;
    item.timer.cancel();
  }
}

/** No answer came: honest about whether it may have been published. */
function unanswered(item: Item, cause?: WardwireError): WardwireError {
  return item.sent
    ? new ConnectionError({ code: 'unconfirmed', title: 'Sent, and not confirmed: it may be published, or not.', cause })
    : new ConnectionError({ code: 'not-sent', title: 'There was no connection in time; nothing was sent.', cause });
}
