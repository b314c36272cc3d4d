/**
 * What waits to be sent and answered, in order. Each promise is kept: answered, or rejected with what is known.
 *
 * A publication has an id, under which the server publishes it once, so it is sent again after a reconnect. Any other call
 * is sent once, and waits behind no publication.
 */

import { callsAtOnce, queuedAtOnce } from './connection.js';
import { type Unsubscribe, whenAborted } from './emitter.js';
import { CallError, ConnectionError, UsageError, type WardwireError } from './error.js';
import type { Line } from './following.js';
import type { Platform, Timer } from './platform.js';

/** Sent over the next connection too, while no answer came; or at once or not at all. Else once, when there is a connection. */
export type Effort = 'repeated' | 'volatile' | undefined;

/** The clock, and bounds in pieces and milliseconds. */
export interface OutgoingSettings {
  readonly platform: Platform;
  readonly maxPending: number;
  /** How long a publication may wait in all. */
  readonly publishTimeoutMs: number;
  /** How long any other call may wait for a connection. */
  readonly requestTimeoutMs: number;
}

interface Item {
  /** Asks over this connection, and keeps the promise with the answer. */
  readonly send: (line: Line) => void;
  readonly reject: (error: unknown) => void;
  readonly chars: number;
  readonly timer: Timer;
  readonly unwatch: Unsubscribe;
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
  readonly #settings: OutgoingSettings;
  readonly #repeats: boolean;
  #chars = 0;
  #line: Line | null = null;

  /** `repeats`: these are publications, and are sent again after a reconnect. */
  constructor(settings: OutgoingSettings, repeats: boolean) {
    this.#settings = settings;
    this.#repeats = repeats;
  }

  /** Queues a call; `params` is JSON, with an `id` where it is a publication. */
  add<T>(method: string, params: string, read: (result: unknown) => T, signal: AbortSignal | undefined, effort: Effort): Promise<T> {
    const { platform, maxPending, publishTimeoutMs, requestTimeoutMs } = this.#settings;
    return new Promise<T>((resolve, reject) => {
      if (this.#items.size >= maxPending || this.#chars + params.length > maxQueuedChars) throw new UsageError('queue-full');
      // Of a call that was sent the connection tells when it was not answered in time.
      const ms = this.#repeats ? Math.min(longestPublishMs, publishTimeoutMs) : requestTimeoutMs;
      const timer = platform.clock.after(ms, () => {
        if (this.#repeats || !item.sent) this.#fail(item, new ConnectionError('disconnected'));
      });
      // What nobody waits for any more is not sent later.
      const unwatch = whenAborted(signal, () => {
        this.#forget(item);
        reject(signal?.reason);
      });
      const answered = (result: T): void => {
        this.#forget(item);
        resolve(result);
      };
      const failed = (error: WardwireError, line: Line): void => {
        // The next connection asks again, if it may; one that is silent is as good as none.
        if (!this.#repeats || (error.code !== 'disconnected' && error.code !== 'timeout')) return this.#fail(item, error);
        line.drop('dead');
      };
      const send = (line: Line): void => void line.request(method, params, read).then(answered, (error) => failed(error, line));
      const item: Item = { chars: params.length, send, reject, timer, unwatch, sent: false, underway: false };
      this.#items.add(item);
      this.#chars += item.chars;
      this.pump();
      if (effort === 'volatile' && !item.sent) this.#fail(item, new ConnectionError('not-sent'));
    });
  }

  /** Sends what waits, oldest first, over this connection; `null` says that there is none. */
  resume(line: Line | null): void {
    this.#line = line;
    for (const item of this.#items) item.underway = false;
    this.pump();
  }

  /** Rejects all that waits. */
  abandon(error: WardwireError): void {
    for (const item of [...this.#items]) this.#fail(item, error);
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    for (const item of this.#items) {
      if (this.#line?.hasRoom(this.#repeats ? queuedAtOnce : callsAtOnce) !== true) return;
      if (item.underway) continue;
      item.sent = item.underway = true;
      item.send(this.#line);
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
    this.#chars -= item.chars;
    item.timer.cancel();
    item.unwatch();
  }
}
