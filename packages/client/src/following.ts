/** The channels this client follows, and how far it has read each: what a new connection takes up again. */

import { readSubscribed, type Subscribed } from './answers.js';
import { defaultBackoff, waitMs } from './backoff.js';
import { type Connection, queuedAtOnce } from './connection.js';
import { Emitter } from './emitter.js';
import { ConnectionError, UsageError, type WardwireError } from './error.js';
import { type Change, isNewer, type Publication, type Told } from './frames.js';
import type { Platform, Timer } from './platform.js';
import type { SubscriptionState } from './state.js';

/** The open connection, to those who send over it. */
export type Line = Pick<Connection, 'request' | 'hasRoom' | 'drop'>;

/** What is told of a channel. */
export interface ChannelEvents<Data = unknown> {
  /** In order, each once, missed ones first. */
  publication: Publication<Data>;
  joined: Change;
  left: Change;
  /** What came before this position was left out, for this reader was too slow for it. */
  lagged: { readonly position: string };
  state: SubscriptionState;
}

/** More channels than this are a leak in the application. */
const maxChannels = 1000;

/** A channel that is refused for its rate this often is given up. */
const maxRefusals = 5;

/** One followed channel. */
export class Following {
  readonly channel: string;
  readonly events = new Emitter<ChannelEvents>();
  /** What wants publications: listeners, iterators, `subscribe()`. Called when it ends for all of them. */
  readonly holds = new Set<(error: WardwireError) => void>();
  position: string | null = null;
  grant: string | null = null;
  state: SubscriptionState = { kind: 'idle' };
  /** The retry that is due, and how many there were. */
  retry: Timer | null = null;
  refusals = 0;

  constructor(channel: string) {
    this.channel = channel;
  }

  enter(state: SubscriptionState): void {
    this.retry?.cancel();
    this.retry = null;
    this.state = state;
    this.events.emit('state', state);
  }
}

/** All of them. */
export class Followings {
  readonly #all = new Map<string, Following>();
  readonly #platform: Platform;
  #line: Line | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** What is known of a channel. @throws UsageError for one too many. */
  of(channel: string): Following {
    const known = this.#all.get(channel);
    if (known !== undefined) return known;
    if (this.#all.size >= maxChannels) throw new UsageError('queue-full');
    const made = new Following(channel);
    this.#all.set(channel, made);
    return made;
  }

  peek(channel: string): Following | undefined {
    return this.#all.get(channel);
  }

  /** Follows a channel for as long as this hold is not released. One that ended is asked for anew. */
  hold(channel: string, hold: (error: WardwireError) => void): void {
    const following = this.of(channel);
    following.holds.add(hold);
    if (following.state.kind !== 'idle' && following.state.kind !== 'ended') return;
    following.refusals = 0;
    following.enter({ kind: 'waiting' });
    this.pump();
  }

  /** Releases a hold; with the last one the channel is followed no more, and what nobody listens to is dropped. */
  release(following: Following, hold: (error: WardwireError) => void): void {
    if (following.holds.delete(hold) && following.holds.size === 0) this.#leave(following);
    else this.#forget(following);
  }

  /** Ends every hold. */
  end(following: Following): void {
    this.#finish(following, new UsageError('unsubscribed'));
    this.#leave(following);
  }

  /** Takes every channel up again where it was left, over this connection; `null` says that there is none. */
  resume(line: Line | null): void {
    this.#line = line;
    for (const following of [...this.#all.values()]) {
      if (following.state.kind === 'asking' || following.state.kind === 'live') following.enter({ kind: 'waiting' });
    }
    this.pump();
  }

  /** Asks for the channels that wait, as far as there is room. */
  pump(): void {
    for (const following of this.#all.values()) {
      if (this.#line?.hasRoom(queuedAtOnce) !== true) return;
      if (following.state.kind === 'waiting' && following.retry === null) this.#establish(following, this.#line);
    }
  }

  deliver({ kind, channel, event }: Told): void {
    const following = this.#all.get(channel);
    if (following === undefined || following.holds.size === 0) return;
    if (kind === 'publication') return this.#read(following, event);
    if (kind === 'revoked') return this.#refused(following, new ConnectionError(kind, { data: event }));
    if (kind === 'lagged' && isNewer(event.position, following.position)) following.position = event.position;
    following.events.emit(kind, event);
  }

  /** Tells whoever waits for a channel why there is no connection any more. The channels are kept for `start()`, or all is forgotten: what is known of them, and who listens. */
  abandon(error: WardwireError, forget: boolean): void {
    for (const following of [...this.#all.values()]) {
      this.#finish(following, error);
      if (!forget) continue;
      following.position = following.grant = null;
      following.enter({ kind: 'idle' });
    }
    if (forget) this.#all.clear();
  }

  #read(following: Following, publication: Publication): void {
    if (!isNewer(publication.position, following.position)) return;
    following.position = publication.position;
    following.events.emit('publication', publication);
  }

  #establish(following: Following, line: Line): void {
    const { channel, position, grant } = following;
    const asking: SubscriptionState = { kind: 'asking' };
    // Later it may be another connection, and the channel may have been left and asked for anew.
    const current = (): boolean => this.#line === line && following.state === asking && following.holds.size > 0;
    const params = JSON.stringify({ channel, since: position ?? undefined, grant: grant ?? undefined });
    line.request('subscribe', params, (result) => readSubscribed(result, channel)).then(
      (answer) => this.#answered(following, current, answer),
      (error: WardwireError) => current() && this.#failed(following, line, error),
    );
    following.enter(asking);
  }

  #answered(following: Following, current: () => boolean, { position, recovered, publications }: Subscribed): void {
    if (!current()) return;
    for (const publication of publications) this.#read(following, publication);
    if (!current()) return;
    // Also without recovery: the old position says nothing any more, and must not hide what comes now.
    following.position = position;
    following.refusals = 0;
    following.enter({ kind: 'live', position, recovered });
  }

  #failed(following: Following, line: Line, error: WardwireError): void {
    // Whether the server follows the channel is unknown now; a new connection knows.
    if (error.code === 'timeout') return line.drop('dead');
    following.refusals += 1;
    if (error.code !== 'rate' || following.refusals >= maxRefusals) return this.#refused(following, error);
    const { clock, random } = this.#platform;
    following.enter({ kind: 'waiting' });
    following.retry = clock.after(waitMs(defaultBackoff, following.refusals + 1, error.retryAfterMs, random), () => {
      following.retry = null;
      this.pump();
    });
  }

  /** Ended by the server. It is not asked again, as no waiting mends it. */
  #refused(following: Following, error: WardwireError): void {
    following.enter({ kind: 'ended', error });
    this.#finish(following, error);
  }

  /** Tells every hold, which releases itself but for listeners that are to hear of a later `subscribe()`. */
  #finish(following: Following, error: WardwireError): void {
    for (const hold of [...following.holds]) hold(error);
  }

  #leave(following: Following): void {
    const { channel, state: { kind } } = following;
    following.position = following.grant = null;
    if (kind !== 'ended' && kind !== 'idle') following.enter({ kind: 'idle' });
    this.#forget(following);
    if (kind === 'live' || kind === 'asking') this.#line?.request('unsubscribe', JSON.stringify({ channel }), Boolean).catch(() => undefined);
  }

  #forget(following: Following): void {
    // After a sign-out the name may be another user's.
    if (this.#all.get(following.channel) !== following) return;
    if (following.holds.size === 0 && following.events.isEmpty) this.#all.delete(following.channel);
  }
}
