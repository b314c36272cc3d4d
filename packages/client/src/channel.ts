/** One channel, as an application holds it. Making one costs nothing; it is followed while somebody listens. */

import type { Published } from './answers.js';
import { Backlog } from './backlog.js';
import { type Abortable, type Unsubscribe, whenAborted } from './emitter.js';
import { UsageError, type WardwireError } from './error.js';
import type { ChannelEvents, Followings } from './following.js';
import { isPosition, type Publication } from './frames.js';
import { payload } from './params.js';
import { newTrace } from './platform.js';
import type { SubscriptionState } from './state.js';

/** How a subscription began. */
export interface SubscriptionStart {
  readonly position: string;
  /** Everything since the last position was delivered. `false` also on a first subscription without `since`. */
  readonly recovered: boolean;
}

/** What a channel needs of the client it belongs to. */
export interface Doors {
  readonly followings: Followings;
  /** Asks and reads; waits for a connection. */
  ask<T>(method: string, params: object, read: (result: unknown) => T, signal: AbortSignal | undefined): Promise<T>;
  /** The same for `publish`, over reconnects. */
  publish(params: object, signal: AbortSignal | undefined): Promise<Published>;
}

export interface SubscribeOptions extends Abortable {
  /** A position to catch up from. */
  readonly since?: string;
  /** A signed grant for this channel. */
  readonly grant?: string;
}

export interface PublishOptions extends Abortable {
  /**
   * The message's own id, 1 to 64 bytes of ASCII; default: a random one. The server publishes one of a kind once in five
   * minutes, so that a repeat is harmless. An anonymous user's ids are forgotten with the socket.
   */
  readonly id?: string;
  /** Not delivered to this socket; to the user's others it is. */
  readonly noEcho?: boolean;
}

export interface MessagesOptions extends Abortable {
  /** Publications that may wait to be read, 1000 by default. With one more the iteration fails with `backlog-full`. */
  readonly backlog?: number;
}

export class Channel<Data = unknown> {
  readonly name: string;
  readonly #doors: Doors;

  /** @internal Use {@link Wire.channel}. */
  constructor(name: string, doors: Doors) {
    this.name = name;
    this.#doors = doors;
  }

  get state(): SubscriptionState {
    return this.#doors.followings.peek(this.name)?.state ?? { kind: 'idle' };
  }

  /** The position of what was read last; `null` before there was any. */
  get position(): string | null {
    return this.#doors.followings.peek(this.name)?.position ?? null;
  }

  /**
   * Listens, until what is returned is called or the signal aborts. Every event but `state` follows the channel. After a
   * refusal (state `ended`) listeners stay, and hear again when the application calls {@link Channel.subscribe}.
   */
  on<Name extends keyof ChannelEvents>(name: Name, listener: (event: ChannelEvents<Data>[Name]) => void, options: Abortable = {}): Unsubscribe {
    if (options.signal?.aborted === true) return () => undefined;
    const { followings } = this.#doors;
    const following = followings.of(this.name);
    const deaf = following.events.on(name, listener as (event: ChannelEvents[Name]) => void);
    const hold = (error: WardwireError): void => void (error.code === 'unsubscribed' && deaf());
    const stop = (): void => {
      unwatch();
      deaf();
      followings.release(following, hold);
      followings.forget(following);
    };
    const unwatch = whenAborted(options.signal, stop);
    if (name !== 'state') followings.hold(following, hold);
    return stop;
  }

  /**
   * Follows the channel until {@link Channel.unsubscribe} or the signal. Resolves once the server said yes, and waits for
   * a connection if there is none. Rejects with what the server says.
   */
  subscribe(options: SubscribeOptions = {}): Promise<SubscriptionStart> {
    const { since, grant, signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (since !== undefined && !isPosition(since)) return Promise.reject(usage('`since` is a position, `epoch:offset`.'));
    const { followings } = this.#doors;
    return new Promise((resolve, reject) => {
      const following = followings.of(this.name);
      if (following.position === null && since !== undefined) following.position = since;
      if (grant !== undefined) following.grant = grant;
      const end = (reason: unknown): void => {
        deaf();
        unwatch();
        reject(reason);
        followings.release(following, end);
      };
      const look = (state: SubscriptionState): void => {
        if (state.kind !== 'live') return;
        deaf();
        resolve({ position: state.position, recovered: state.recovered });
      };
      const deaf = following.events.on('state', look);
      const unwatch = whenAborted(signal, () => end(signal?.reason));
      if (signal?.aborted === true) return;
      followings.hold(following, end);
      look(following.state);
    });
  }

  /** Follows the channel no more: listeners go, iterations end. */
  unsubscribe(): void {
    const following = this.#doors.followings.peek(this.name);
    if (following !== undefined) this.#doors.followings.end(following);
  }

  /**
   * Publishes any JSON, or bytes on a binary channel. Resolves once the server has it, also over reconnects in between;
   * else rejects, with `unconfirmed` where it was sent and nobody knows. The data is read at once, so changing it later
   * changes nothing.
   */
  async publish(data: Data, options: PublishOptions = {}): Promise<Published> {
    const id = options.id ?? newTrace();
    if (!/^[\x21-\x7e]{1,64}$/.test(id)) throw usage('An id is 1 to 64 characters of printable ASCII.');
    return this.#doors.publish({ channel: this.name, ...payload(data), id, ...(options.noEcho === true && { noEcho: true }) }, options.signal);
  }

  /**
   * Asks something about this channel.
   *
   * @internal For {@link history} and {@link presence}.
   */
  ask<T>(method: string, params: object, read: (result: unknown) => T, signal: AbortSignal | undefined): Promise<T> {
    return this.#doors.ask(method, { channel: this.name, ...params }, read, signal);
  }

  /**
   * Publications one after the other. Ends with the signal, `unsubscribe()` or `close()`; throws when the server refuses
   * or ends the subscription, at sign-out, and when it is read so slowly that the backlog is full: a gap is never hidden.
   */
  messages(options: MessagesOptions = {}): AsyncIterableIterator<Publication<Data>> {
    const { followings } = this.#doors;
    const following = followings.of(this.name);
    const backlog = new Backlog<Publication<Data>>(options.backlog ?? 1000, () => {
      deaf();
      unwatch();
      followings.release(following, hold);
    });
    const hold = (error: WardwireError): void => backlog.end(['unsubscribed', 'closed'].includes(error.code) ? null : error);
    const deaf = following.events.on('publication', (publication) => backlog.add(publication as Publication<Data>));
    const unwatch = whenAborted(options.signal, () => queueMicrotask(() => backlog.end(null)));
    followings.hold(following, hold);
    return backlog;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Publication<Data>> {
    return this.messages();
  }
}

function usage(title: string): UsageError {
  return new UsageError('usage', { title });
}
