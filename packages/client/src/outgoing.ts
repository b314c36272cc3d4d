/**
 * What waits to be sent and answered, in order. Each promise is kept: answered, or rejected with what is known.
 *
 * A publication has an id, under which the server publishes it once, so it is sent again after a reconnect. Any other call
 * is sent once, and waits behind no publication.
 */

import { callsAtOnce, queuedAtOnce } from './connection.js';
import { orAborted } from './emitter.js';
import { CallError, ConnectionError, UsageError, type WardwireError } from './error.js';
import type { Line } from './following.js';
import type { Clock, Timer } from './platform.js';

/** Bounds in pieces and milliseconds. */
export interface OutgoingLimits {
  readonly maxPending: number;
  /** How long a publication may wait in all. */
  readonly publishTimeoutMs: number;
  /** How long any other call may wait for a connection. */
  readonly requestTimeoutMs: number;
}

interface Item {
  readonly method: string;
  readonly params: string;
  readonly timer: Timer;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: WardwireError) => void;
  /** Whether it was ever handed to a socket. */
  sent: boolean;
  underway: boolean;
}

/** The server forgets ids after five minutes; a publication that is repeated must be sooner. */
const longestPublishMs = 240_000;

/** UTF-16 units of JSON that may wait. */
const maxQueuedChars = 4 * 1024 * 1024;

export class Outgoing {
  readonly #items = new Set<Item>();
  readonly #limits: OutgoingLimits;
  readonly #clock: Clock;
  readonly #repeats: boolean;
  #chars = 0;
  #line: Line | null = null;

  /** `repeats`: these are publications, and are sent again after a reconnect. */
  constructor(limits: OutgoingLimits, clock: Clock, repeats: boolean) {
    this.#repeats = repeats;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Queues a call; `params` is JSON, with an `id` where it is a publication. */
  add(method: string, params: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { maxPending, publishTimeoutMs, requestTimeoutMs } = this.#limits;
    if (this.#items.size >= maxPending || this.#chars + params.length > maxQueuedChars) return Promise.reject(new UsageError('queue-full'));
    let given: Item | undefined;
    const promise = new Promise((resolve, reject) => {
      // Of a call that was sent the connection tells when it was not answered in time.
      const ms = this.#repeats ? Math.min(longestPublishMs, publishTimeoutMs) : requestTimeoutMs;
      const timer = this.#clock.after(ms, () => {
        if (this.#repeats || !item.sent) this.#fail(item, new ConnectionError('disconnected'));
      });
      const item: Item = { method, params, timer, resolve, reject, sent: false, underway: false };
      given = item;
      this.#items.add(item);
      this.#chars += params.length;
    });
    this.pump();
    const whole = orAborted(promise, signal);
    // What nobody waits for any more is not sent later.
    whole.catch(() => given && this.#forget(given));
    return whole;
  }

  /** Sends what waits, oldest first, over this connection; `null` says that there is none. */
  resume(line: Line | null): void {
    this.#line = line;
    for (const item of this.#items) item.underway = false;
    this.pump();
  }

  /** Rejects all that waits. */
  abandon(error: WardwireError): void {
    this.#line = null;
    for (const item of [...this.#items]) this.#fail(item, error);
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    for (const item of this.#items) {
      if (this.#line?.hasRoom(this.#repeats ? queuedAtOnce : callsAtOnce) !== true) return;
      if (item.underway) continue;
      item.sent = item.underway = true;
      void this.#deliver(item, this.#line);
    }
  }

  async #deliver(item: Item, line: Line): Promise<void> {
    try {
      const result = await line.request(item.method, item.params);
      this.#forget(item);
      item.resolve(result);
    } catch (cause) {
      const error = cause as WardwireError;
      // The next connection asks again, if it may.
      if (error.code !== 'disconnected' || !this.#repeats) this.#fail(item, error);
    }
  }

  /** Honest about whether it may have been published: only the server's own word says that it was not. */
  #fail(item: Item, error: WardwireError): void {
    this.#forget(item);
    const known = !this.#repeats || error instanceof CallError || (!item.sent && error.code !== 'disconnected');
    item.reject(known ? error : new ConnectionError(item.sent ? 'unconfirmed' : 'not-sent', { cause: error }));
  }

  #forget(item: Item): void {
    if (!this.#items.delete(item)) return;
    this.#chars -= item.params.length;
    item.timer.cancel();
  }
}
