/** One channel, as an application holds it. Making one costs nothing; it is followed while somebody listens. */

import { type Published, readPublished } from './answers.js';
import { Backlog } from './backlog.js';
import type { Abortable, Unsubscribe } from './emitter.js';
import { demandFit, UsageError, type WardwireError } from './error.js';
import type { ChannelEvents, Followings } from './following.js';
import { isCount, isPosition, isText, type Publication } from './frames.js';
import type { Effort } from './outgoing.js';
import { payload } from './params.js';
import { newTrace } from './platform.js';
import type { SubscriptionState } from './state.js';

/** How a subscription began. */
export interface SubscriptionStart {
  readonly position: string;
  /** Everything since the last position was delivered. `false` also on a first subscription without `since`. */
  readonly recovered: boolean;
}

type Ask = <T>(method: string, params: object, read: (result: unknown) => T, signal: AbortSignal | undefined, effort?: Effort) => Promise<T>;

export interface SubscribeOptions extends Abortable {
  /** A position to catch up from. */
  readonly since?: string;
  /** A signed grant for this channel. */
  readonly grant?: string;
}

export interface PublishOptions extends Abortable {
  /**
   * The message's own id, 1 to 64 bytes; default: 16 random bytes, as text. The server publishes one of a kind once in five
   * minutes, so that a repeat is harmless. An anonymous user's ids are forgotten with the socket.
   */
  readonly id?: string;
  /** Not delivered to this socket; to the user's others it is. */
  readonly noEcho?: boolean;
  /**
   * Of worth only now, as where a player stands: sent at once or, where that cannot be, rejected with `not-sent`; never
   * kept, never repeated, and without an id where none is given. What was sent may still be answered, or rejected with
   * `disconnected` or `timeout` where nobody knows.
   */
  readonly volatile?: boolean;
}

export interface MessagesOptions extends Abortable {
  /** Publications that may wait to be read, 1000 by default. With one more the iteration fails with `backlog-full`. */
  readonly backlog?: number;
}

/**
 * One channel, as {@link Wire.channel} gives it. It costs nothing; the channel is followed while somebody listens or iterates, over
 * one connection after the other, each publication once and in order.
 */
export class Channel<Data = unknown> {
  /** As the application named it. */
  declare readonly name: string;
  readonly #followings: Followings;
  readonly #ask: Ask;

  /** @internal Use {@link Wire.channel}. */
  constructor(name: string, followings: Followings, ask: Ask) {
    // A server refuses more than this, which it takes Unicode's tables to know.
    const fits = isText(name) && name === name.normalize() && !/(^|\/)(\.{0,2}(\/|$)|\s)|\s(\/|$)|[*{}?#%\\\p{Cc}]/u.test(name);
    demandFit('channel', fits && new TextEncoder().encode(name).length < 256);
    this.name = name;
    this.#followings = followings;
    this.#ask = ask;
  }

  get state(): SubscriptionState {
    return this.#followings.peek(this.name)?.state ?? { kind: 'idle' };
  }

  /** The position of what was read last; `null` before there was any. */
  get position(): string | null {
    return this.#followings.peek(this.name)?.position ?? null;
  }

  /**
   * Listens, until what is returned is called or the signal aborts. Every event but `state` follows the channel. After a
   * refusal (state `ended`) listeners stay, and hear again when the application calls {@link Channel.subscribe}.
   */
  on<Name extends keyof ChannelEvents>(name: Name, listener: (event: ChannelEvents<Data>[Name]) => void, options: Abortable = {}): Unsubscribe {
    demandFit(name, ['publication', 'joined', 'left', 'lagged', 'state'].includes(name));
    if (options.signal?.aborted) return () => undefined;
    const hold = (error: WardwireError): void => void (error.code === 'unsubscribed' && stop());
    const stop = this.#listen(name, listener as (event: ChannelEvents[Name]) => void, hold, options.signal);
    if (name !== 'state') this.#followings.hold(this.name, hold);
    return stop;
  }

  /**
   * Follows the channel until {@link Channel.unsubscribe} or the signal. Resolves once the server said yes, and waits for
   * a connection if there is none. Rejects with what the server says; where that is that it came too soon (`rate`), it asks
   * again in the time that was named, as often as it takes. To ask again without a signal adds nothing; with one it follows
   * until that aborts too.
   */
  async subscribe(options: SubscribeOptions = {}): Promise<SubscriptionStart> {
    const { since, grant, signal } = options;
    if (signal?.aborted) throw signal.reason;
    demandFit('since', since === undefined || isPosition(since));
    demandFit('grant', isText(grant ?? ''));
    return new Promise((resolve, reject) => {
      const following = this.#followings.of(this.name);
      const end = (reason: unknown): void => {
        reject(reason);
        stop();
      };
      const look = (state: SubscriptionState): void => {
        if (state.kind !== 'live') return;
        const { position, recovered } = state;
        resolve({ position, recovered });
        // However often it is asked for, it is held once.
        if (signal || following.lasting === stop) return;
        following.lasting?.();
        following.lasting = stop;
      };
      const stop = this.#listen('state', look, end, signal, () => end(signal?.reason));
      following.position ??= since;
      following.grant = grant ?? following.grant;
      this.#followings.hold(this.name, end);
      look(following.state);
    });
  }

  /** Follows the channel no more: listeners go, iterations end. */
  unsubscribe(): void {
    this.#followings.peek(this.name)?.end(new UsageError('unsubscribed'));
  }

  /**
   * Publishes any JSON, or bytes on a binary channel. Resolves once the server has it, also over reconnects in between, and
   * after it came too soon; else rejects, with `unconfirmed` where it was sent and nobody knows, and with `rate` where it came
   * too soon until the last. The data is read at once, so changing it later
   * changes nothing.
   */
  async publish(data: Data, options: PublishOptions = {}): Promise<Published> {
    const { noEcho, signal, volatile, id = volatile ? undefined : newTrace() } = options;
    demandFit('id', isText(id ?? ''));
    return this.ask('publish', { ...payload(data), id, noEcho }, readPublished, signal, volatile ? 'volatile' : 'repeated');
  }

  /**
   * Asks something about this channel.
   *
   * @internal For {@link history} and {@link presence}.
   */
  ask<T>(method: string, params: object, read: (result: unknown) => T, signal: AbortSignal | undefined, effort?: Effort): Promise<T> {
    return this.#ask(method, { channel: this.name, ...params }, read, signal, effort);
  }

  /**
   * Publications one after the other. Ends with the signal, `unsubscribe()` or `close()`; throws when the server refuses
   * or ends the subscription, at sign-out, and when it is read so slowly that the backlog is full. What never reached this client, as the
   * server no longer had it after a reconnect, is told to who listens, and not here: by `state` (`recovered: false`) and by `lagged`.
   */
  messages(options: MessagesOptions = {}): AsyncIterableIterator<Publication<Data>> {
    const { backlog: most = 1000 } = options;
    demandFit('backlog', isCount(most));
    const backlog = new Backlog<Publication<Data>>(most, () => stop());
    const hold = (error: WardwireError): void => backlog.end(error);
    const read = (publication: Publication): void => backlog.add(publication as Publication<Data>);
    const stop = this.#listen('publication', read, hold, options.signal, () => queueMicrotask(() => backlog.end()));
    this.#followings.hold(this.name, hold);
    return backlog;
  }

  /** {@link Channel.messages} with the defaults, for `for await`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Publication<Data>> {
    return this.messages();
  }

  /** Gives what ends the listener and the hold, by which the caller then follows the channel. */
  #listen<Name extends keyof ChannelEvents>(
    name: Name,
    listener: (event: ChannelEvents[Name]) => void,
    hold: (error: WardwireError) => void,
    signal: AbortSignal | undefined,
    aborted?: () => void,
  ): Unsubscribe {
    const following = this.#followings.of(this.name);
    return following.on(name, listener, signal, () => this.#followings.release(following, hold), aborted);
  }
}
