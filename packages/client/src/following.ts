/** The channels this client follows, and how far it has read each: what a new connection takes up again. */

import { readSubscribed } from './answers.js';
import type { Connection } from './connection.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { ConnectionError, UsageError, type WardwireError } from './error.js';
import { type Change, isNewer, type Publication, type Told } from './frames.js';
import { maxChannels, queuedAtOnce } from './limits.js';
import type { SubscriptionState } from './state.js';

/** The open connection, to those who send over it. */
export type Line = Pick<Connection, 'send' | 'hasRoom' | 'rest'>;

/** What is told of a channel. */
export interface ChannelEvents<Data = unknown> {
  /** In order, each once, missed ones first. */
  publication: Publication<Data>;
  joined: Change;
  left: Change;
  /** What came before this position was left out, as the server has lost it. */
  lagged: { readonly position: string };
  state: SubscriptionState;
}

/** One followed channel. */
export class Following extends Emitter<ChannelEvents> {
  declare readonly channel: string;
  /** What wants publications: listeners, iterators, `subscribe()`. Called when it ends for all of them. */
  readonly holds = new Set<(error: WardwireError) => void>();
  declare position: string | undefined;
  declare grant: string | undefined;
  /** Releases the one hold of every `subscribe()` that has no signal. */
  declare lasting: Unsubscribe | undefined;
  state: SubscriptionState = { kind: 'idle' };

  constructor(channel: string) {
    super();
    this.channel = channel;
  }

  /** It is neither followed nor will be. */
  get rests(): boolean {
    return ['idle', 'ended'].includes(this.state.kind);
  }

  /** Tells all who hold it why it ends. */
  end(error: WardwireError): void {
    for (const hold of [...this.holds]) hold(error);
  }

  enter(state: SubscriptionState): void {
    this.state = state;
    this.emit('state', state);
  }
}

/** All of them. */
export class Followings {
  readonly #all = new Map<string, Following>();
  /** What is followed over this connection, whether it is still wanted or not; `false` while a call about it has no answer. */
  #served = new Map<string, boolean>();
  #line: Line | undefined;

  /** What is known of a channel. @throws UsageError for one too many. */
  of(channel: string): Following {
    const known = this.#all.get(channel);
    if (known) return known;
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
    if (!following.rests) return;
    following.enter({ kind: 'waiting' });
    this.pump();
  }

  /** Releases a hold; with the last one the channel is followed no more, and what nobody listens to is dropped. */
  release(following: Following, hold: (error: WardwireError) => void): void {
    if (following.holds.delete(hold) && following.holds.size === 0) {
      following.position = following.grant = undefined;
      if (!following.rests) following.enter({ kind: 'idle' });
      this.pump();
    }
    // After a sign-out the name may be another user's.
    if (following.isEmpty && this.#all.get(following.channel) === following) this.#all.delete(following.channel);
  }

  /** Takes every channel up again where it was left, over this connection; or knows that there is none. */
  resume(line?: Line): void {
    this.#line = line;
    this.#served = new Map();
    for (const following of this.#all.values()) {
      if (['asking', 'live'].includes(following.state.kind)) following.enter({ kind: 'waiting' });
    }
    this.pump();
  }

  /** Leaves channels and asks for those that wait, as far as there is room. */
  pump(): void {
    const served = this.#served;
    for (const [channel, followed] of served) {
      if (!this.#line?.hasRoom(queuedAtOnce)) return;
      if (!followed || this.#all.get(channel)?.state.kind === 'live') continue;
      served.set(channel, false);
      const failed = ({ code }: WardwireError): unknown => (code === 'rate' ? served.set(channel, true) : served.delete(channel));
      this.#line.send('unsubscribe', JSON.stringify({ channel }), () => served.delete(channel), failed);
    }
    for (const following of this.#all.values()) {
      if (!this.#line?.hasRoom(queuedAtOnce)) return;
      if (following.state.kind === 'waiting' && !served.has(following.channel)) this.#establish(following, this.#line);
    }
  }

  deliver({ kind, channel, event }: Told): void {
    const following = this.#all.get(channel);
    // Before the answer to `subscribe` comes what is left of a subscription before it.
    if (following?.state.kind !== 'live') return;
    if (kind === 'publication') return this.#read(following, event);
    if (kind === 'revoked') {
      this.#served.delete(channel);
      return this.#refused(following, new ConnectionError(kind, { data: event }));
    }
    if (kind === 'lagged' && isNewer(event.position, following.position)) following.position = event.position;
    following.emit(kind, event);
  }

  /** Tells whoever waits for a channel why there is no connection any more. The channels are kept for `start()`, or all is forgotten: what is known of them, and who listens. */
  abandon(error: WardwireError, forget: boolean): void {
    const all = [...this.#all.values()];
    // At once: a listener may already follow as somebody else.
    if (forget) this.#all.clear();
    for (const following of all) {
      following.end(error);
      if (!forget) continue;
      following.enter({ kind: 'idle' });
      following.clear();
    }
  }

  #read(following: Following, publication: Publication): void {
    if (!isNewer(publication.position, following.position)) return;
    following.position = publication.position;
    following.emit('publication', publication);
  }

  #establish(following: Following, line: Line): void {
    const { channel, position: since, grant } = following;
    const asking: SubscriptionState = { kind: 'asking' };
    const served = this.#served;
    // Later it may be another connection, and the channel may have been left and asked for anew.
    const current = (): boolean => following.state === asking;
    const answered = (result: unknown): void => {
      const { position, recovered, publications } = readSubscribed(result, channel);
      for (const publication of publications) if (current()) this.#read(following, publication);
      served.set(channel, true);
      if (!current()) return;
      // Also without recovery: the old position says nothing any more, and must not hide what comes now.
      following.position = position;
      following.enter({ kind: 'live', position, recovered });
    };
    const failed = (error: WardwireError): void => {
      served.delete(channel);
      if (!current()) return;
      if (error.code !== 'rate' && following.grant === grant) return this.#refused(following, error);
      following.enter({ kind: 'waiting' });
      line.rest(error.retryAfterMs ?? 0);
    };
    served.set(channel, false);
    line.send('subscribe', JSON.stringify({ channel, since, grant }), answered, failed);
    following.enter(asking);
  }

  /** Ended by the server. It is not asked again, as no waiting mends it. */
  #refused(following: Following, error: WardwireError): void {
    // A listener of the state may subscribe again: that is not ended with the rest.
    const holds = [...following.holds];
    following.enter({ kind: 'ended', error });
    for (const hold of holds) hold(error);
  }
}
