/** The channels this client follows, and how far it has read each: what a new connection takes up again. */

import { callSafely } from './emitter.js';
import { WardwireError } from './error.js';
import type { Calls } from './protocol.js';
import { isNewer, type Publication, readSubscribed, type Subscribed } from './wire.js';

/** Called for every publication of a channel, in order, missed ones first. */
export type Handler = (publication: Publication) => void;

/** How a subscription began or was taken up again. */
export interface SubscriptionStart {
  readonly channel: string;
  readonly position: string;
  /** Everything since the last position was delivered. `false` also on a first subscription without `since`. */
  readonly recovered: boolean;
}

/** Sends a request over the connection at hand. */
export type Send = <Method extends keyof Calls>(method: Method, params: Calls[Method]['params']) => Promise<unknown>;

/** Who is told of what happens after the first answer. */
export interface SubscriptionsListener {
  started(start: SubscriptionStart): void;
  /** A channel that was followed could not be taken up again. */
  refused(channel: string, error: WardwireError): void;
  delivered(publication: Publication): void;
  /** The server broke the protocol; the connection must end. */
  malformed(): void;
}

interface Entry {
  readonly channel: string;
  readonly handlers: Set<Handler>;
  position: string | null;
  readonly ready: Deferred<SubscriptionStart>;
}

/** More channels than this are a leak in the application. */
const maxChannels = 1000;

export class Subscriptions {
  readonly #entries = new Map<string, Entry>();
  readonly #listener: SubscriptionsListener;

  constructor(listener: SubscriptionsListener) {
    this.#listener = listener;
  }

  /** Follows a channel, now if `send` is given, else with the next connection. */
  add(channel: string, handler: Handler, since: string | null, send: Send | null): Promise<SubscriptionStart> {
    const known = this.#entries.get(channel);
    if (known !== undefined) {
      known.handlers.add(handler);
      return known.ready.promise;
    }
    if (this.#entries.size >= maxChannels) {
      return Promise.reject(new WardwireError({ code: 'queue-full', title: `More than ${maxChannels} channels.` }));
    }
    const entry: Entry = { channel, handlers: new Set([handler]), position: since, ready: deferred() };
    this.#entries.set(channel, entry);
    if (send !== null) void this.#establish(entry, send);
    return entry.ready.promise;
  }

  /** Stops a handler, or all of a channel. Whether the channel is followed no more. */
  remove(channel: string, handler?: Handler): boolean {
    const entry = this.#entries.get(channel);
    if (entry === undefined) return false;
    if (handler !== undefined) entry.handlers.delete(handler);
    if (handler !== undefined && entry.handlers.size > 0) return false;
    this.#entries.delete(channel);
    entry.ready.reject(new WardwireError({ code: 'unsubscribed', title: 'Unsubscribed before the answer came.' }));
    return true;
  }

  /** Takes every channel up again where it was left. */
  resume(send: Send): void {
    for (const entry of this.#entries.values()) void this.#establish(entry, send);
  }

  deliver(publication: Publication): void {
    const entry = this.#entries.get(publication.channel);
    if (entry === undefined || !isNewer(publication.position, entry.position)) return;
    entry.position = publication.position;
    for (const handler of [...entry.handlers]) callSafely(() => handler(publication));
    this.#listener.delivered(publication);
  }

  /** Tells those who still wait for a first answer that none will come. */
  abandon(error: WardwireError): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.ready.reject(error)) this.#entries.delete(entry.channel);
    }
  }

  /** Forgets everything. */
  wipe(error: WardwireError): void {
    this.abandon(error);
    this.#entries.clear();
  }

  async #establish(entry: Entry, send: Send): Promise<void> {
    const { channel, position } = entry;
    let answer: Subscribed | null;
    try {
      answer = readSubscribed(await send('subscribe', position === null ? { channel } : { channel, since: position }), channel);
    } catch (error) {
      if (error instanceof WardwireError) this.#failed(entry, error);
      return;
    }
    if (answer === null) return this.#listener.malformed();
    if (this.#entries.get(channel) !== entry) return;
    for (const publication of answer.publications) this.deliver(publication);
    // Also without recovery: the old position says nothing any more, and must not hide what comes now.
    entry.position = answer.position;
    const start = { channel, position: answer.position, recovered: answer.recovered };
    entry.ready.resolve(start);
    this.#listener.started(start);
  }

  #failed(entry: Entry, error: WardwireError): void {
    // The connection ended: the next one asks again.
    if (error.code === 'disconnected' || this.#entries.get(entry.channel) !== entry) return;
    this.#entries.delete(entry.channel);
    if (!entry.ready.reject(error)) this.#listener.refused(entry.channel, error);
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  /** Whether the promise was still open. */
  readonly reject: (error: WardwireError) => boolean;
}

function deferred<T>(): Deferred<T> {
  let settle: { resolve(value: T): void; reject(error: WardwireError): void } | null = null;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  // Whoever asked sees the rejection; whoever did not ask is not brought down by it.
  promise.catch(() => undefined);
  const open = (): typeof settle => {
    const still = settle;
    settle = null;
    return still;
  };
  return {
    promise,
    resolve: (value) => open()?.resolve(value),
    reject: (error) => {
      const still = open();
      still?.reject(error);
      return still !== null;
    },
  };
}
