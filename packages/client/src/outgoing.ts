/**
 * What waits to be sent and answered, in order. Each promise is kept: answered, or rejected with what is known.
 *
 * A publication has an id, under which the server publishes it once, so it is sent again after a reconnect. Any other call
 * is sent once, and waits behind no publication.
 */

import { whenAborted } from './emitter.js';
import { CallError, ConnectionError, UsageError, type WardwireError } from './error.js';
import type { Line } from './following.js';
import { callsAtOnce, longestPublishMs, maxQueuedChars, queuedAtOnce } from './limits.js';
import type { Cancel, Platform } from './platform.js';

/** Sent over the next connection too, while no answer came; or at once or not at all. Else once, when there is a connection. */
export type Effort = 'repeated' | 'volatile' | undefined;

/** The clock, and bounds in pieces and milliseconds. */
export interface OutgoingSettings extends Platform {
  readonly maxPending: number;
  /** How long a publication may wait in all. */
  readonly publishTimeoutMs: number;
  /** How long any other call may wait for a connection. */
  readonly requestTimeoutMs: number;
}

interface Item {
  readonly channel: unknown;
  /** Asks over this connection, and keeps the promise with the answer. */
  readonly send: (line: Line) => void;
  readonly fail: (error: WardwireError) => void;
  underway: boolean;
}

/** How a channel is published in that was too often published in. */
interface Pace {
  /** Between an answer and the next publication, in milliseconds. */
  ms: number;
  /** Set while none is sent: it calls that off. */
  wait?: Cancel | undefined;
}

export class Outgoing {
  readonly #items = new Set<Item>();
  readonly #settings: OutgoingSettings;
  readonly #repeats: boolean;
  readonly #paces = new Map<unknown, Pace>();
  #chars = 0;
  #line: Line | undefined;

  /** `repeats`: these are publications, and are sent again after a reconnect. */
  constructor(settings: OutgoingSettings, repeats: boolean) {
    this.#settings = settings;
    this.#repeats = repeats;
  }

  /** Queues a call; `params` is JSON, with an `id` where it is a publication, and of a channel if it is of one. */
  add<T>(method: string, params: string, channel: unknown, read: (result: unknown) => T, signal: AbortSignal | undefined, effort: Effort): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#items.size >= this.#settings.maxPending || this.#chars + params.length > maxQueuedChars) throw new UsageError('queue-full');
      /** How often it was sent, less how often the server's own word is that it took nothing of it. */
      let unanswered = 0;
      let refusal: WardwireError | undefined;

      const forget = (): void => {
        if (!this.#items.delete(item)) return;
        this.#chars -= params.length;
        unwatch();
        timer();
      };
      /** Honest about whether it may have been published. */
      const fail = (error: WardwireError): void => {
        forget();
        reject(this.#repeats && unanswered > 0 ? new ConnectionError('unconfirmed', { cause: error }) : error);
      };
      const failed = (error: WardwireError): void => {
        if (!this.#repeats) return fail(error);
        // The next connection asks again, if it may.
        if (error.code === 'disconnected' || error.code === 'timeout') return;
        if (error instanceof CallError) unanswered -= 1;
        // The server names a time with each.
        const early = error.code === 'rate' ? error.retryAfterMs || 1 : 0;
        item.underway = false;
        if (early) refusal = error;
        else fail(error);
        this.#pause(channel, early);
      };
      const item: Item = {
        channel,
        underway: false,
        fail,
        send: (line) => {
          item.underway = true;
          unanswered += 1;
          const pace = this.#paces.get(channel);
          if (pace) pace.wait = Boolean;
          const answered = (result: unknown): void => {
            forget();
            resolve(read(result));
            this.#pause(channel);
          };
          line.send(method, params, answered, failed);
        },
      };
      const late = (): void => fail(refusal ?? new ConnectionError(unanswered > 0 ? 'timeout' : 'not-sent'));
      // What nobody waits for any more is not sent later.
      const unwatch = whenAborted(signal, () => {
        forget();
        reject(signal?.reason);
      });
      const timer = this.#settings.clock.after(this.#repeats ? Math.min(longestPublishMs, this.#settings.publishTimeoutMs) : this.#settings.requestTimeoutMs, late);
      this.#items.add(item);
      this.#chars += params.length;
      this.pump();
      if (effort === 'volatile' && unanswered === 0) late();
    });
  }

  /** Sends what waits, oldest first, over this connection; or knows that there is none. */
  resume(line?: Line): void {
    this.#line = line;
    for (const { wait } of this.#paces.values()) wait?.();
    this.#paces.clear();
    for (const item of this.#items) item.underway = false;
    this.pump();
  }

  /** Rejects all that waits. */
  abandon(error: WardwireError): void {
    for (const item of this.#items) item.fail(error);
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    for (const item of this.#items) {
      if (!this.#line?.hasRoom(this.#repeats ? queuedAtOnce : callsAtOnce)) return;
      if (item.underway || this.#paces.get(item.channel)?.wait) continue;
      item.send(this.#line);
    }
  }

  /**
   * After an answer: where it was that this was too soon (`ms` as the server says), publications of this channel go one by
   * one from now on, with so much time between them.
   */
  #pause(channel: unknown, ms = 0): void {
    const pace: Pace = this.#paces.get(channel) ?? { ms: 0 };
    pace.ms = Math.max(ms, pace.ms);
    if (!pace.ms) return;
    this.#paces.set(channel, pace);
    pace.wait?.();
    // With some more, so that not all who were refused come back at one moment.
    pace.wait = this.#settings.clock.after(pace.ms * (1 + this.#settings.random()), () => {
      pace.wait = undefined;
      // Whoever has caught up may be quick again.
      if (![...this.#items].some((item) => item.channel === channel)) this.#paces.delete(channel);
      this.pump();
    });
  }
}
