/** The client: gets in with a fresh ticket, comes back as the server advises, and forgets everything at sign-out. */

import { type Backoff, defaultBackoff, waitMs } from './backoff.js';
import { Channel } from './channel.js';
import { type Advice, adviceFor } from './codes.js';
import { Connection } from './connection.js';
import { type Abortable, Emitter, report, type Unsubscribe, whenAborted } from './emitter.js';
import { adviceForRefusal, ConnectionError, demandFit, inOurWords, WardwireError } from './error.js';
import { Followings } from './following.js';
import { isText, type Notification, readExpiry } from './frames.js';
import { refreshEveryMs } from './limits.js';
import type { AnyChannels, DataOf, NameOf } from './names.js';
import { type Effort, Outgoing } from './outgoing.js';
import { encodeParams } from './params.js';
import { type Cancel, newTrace, type Platform, platformWith, type Surrounding, withDefaults } from './platform.js';
import type { Reason, State } from './state.js';
import { type Ask, type Auth, byCookie, demandAuth, type Endpoint, endSession, type Entry, fetchTicket, readEndpoint } from './ticket.js';

/** How to connect. Only `auth` is needed. Times are whole milliseconds, to 2,147,483,647; anything else, and a name that is none of these, is a UsageError. */
export interface Options extends Abortable {
  /** {@link session}, {@link bearer} or {@link tickets}. */
  readonly auth: Auth;
  /** The route that a ticket is for; default: the path of the address. */
  readonly route?: string;
  /** Default, of each of its parts: half a second, doubling, to half a minute. */
  readonly backoff?: Partial<Backoff>;
  /** A connection that held this long clears the count of failures. Default 5 s. */
  readonly stableAfterMs?: number;
  /** Time for a ticket and for the handshake, each. Default 15 s. */
  readonly connectTimeoutMs?: number;
  /** Time for the answer to a call. A server that takes longer is dead to this client, which comes back over a new connection. Default 10 s. */
  readonly requestTimeoutMs?: number;
  /** Time in which a publication is acknowledged or rejected, reconnects included. Default 30 s, at most 4 minutes. */
  readonly publishTimeoutMs?: number;
  /** After so much silence the server is asked whether it lives. Default 25 s. */
  readonly pingEveryMs?: number;
  /** Larger messages are not sent. Default 65,536 bytes, the server's own default. */
  readonly maxMessageBytes?: number;
  /** Calls that may wait for an answer, and publications that may wait for a connection, each. Default 1000. */
  readonly maxPending?: number;
  /**
   * Makes the id that names an attempt in the server's audit log: 8 to 64 letters, digits, `_` and `-`. Default, also where it throws or
   * gives anything else, which is reported as uncaught: 16 random bytes.
   */
  readonly newTrace?: () => string;
  /** What to use in place of the browser's own. */
  readonly platform?: Partial<Platform>;
}

type SignedOut = Extract<Reason, { kind: 'signed-out' }>;

/** What a client tells. */
export interface Events {
  /** Every change of {@link Wire.state}. */
  state: State;
  /** The proof of who this is ends soon. With {@link bearer} a fresh one was already asked for. */
  expiring: { readonly expiresAt: number };
  /** Everything of this user was wiped. */
  'signed-out': SignedOut;
}

/** The options, each with its value. */
interface Settings extends Required<Omit<Options, 'route' | 'signal' | 'platform' | 'backoff'>>, Abortable, Platform {
  readonly backoff: Backoff;
  readonly endpoint: Endpoint;
}

/** What goes on in a state: an attempt, a connection, a wait. */
interface Underway {
  drop(word: State['kind'], code: number): void;
  probe?(): void;
}

/**
 * A connection to a route that comes back until it is closed or may not, and what goes on over it. {@link connect} makes one; `Channels` are
 * the types that `wardwire types` writes.
 */
export class Wire<Channels = AnyChannels> {
  readonly #settings: Settings;
  readonly #emitter = new Emitter<Events>();
  readonly #followings = new Followings();
  readonly #publications: Outgoing;
  readonly #calls: Outgoing;
  /** What goes on over the next connection, in this order. */
  readonly #parts: readonly (Followings | Outgoing)[];
  #watching: Unsubscribe | undefined;
  #state: State = { kind: 'idle' };
  #underway: Underway | undefined;
  #stable: Cancel | undefined;
  #failures = 0;
  #refreshedAt = 0;
  /** Whose everything here is, as the server says; `null` for nobody in particular, `undefined` before it said. */
  #handle: Entry['handle'];

  /**
   * An idle client; {@link Wire.start} begins. In a page a path will do as the address. Throws a UsageError for one with a
   * query, a fragment, a user or a password, and for plain `ws:` that leaves this machine.
   */
  constructor(url: string | URL, options: Options) {
    const given = withDefaults(options, defaults as unknown as Required<Options>);
    demandAuth(given.auth);
    this.#settings = { ...given, ...platformWith(given.platform), backoff: withDefaults(given.backoff, defaultBackoff), endpoint: readEndpoint(url, given.route) };
    this.#publications = new Outgoing(this.#settings, true);
    this.#calls = new Outgoing(this.#settings, false);
    this.#parts = [this.#followings, this.#publications, this.#calls];
    whenAborted(given.signal, () => this.close());
  }

  get state(): State {
    return this.#state;
  }

  /** Listens, until what is returned is called or the signal aborts. @throws UsageError for what is no event, or no function. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, options: Abortable = {}): Unsubscribe {
    demandFit(name, ['state', 'expiring', 'signed-out'].includes(name));
    return this.#emitter.on(name, listener, options.signal);
  }

  /** A channel by its name. Nothing is asked of the server before somebody listens, publishes or calls. @throws UsageError for a name that no channel has. */
  channel<const Name extends string>(name: Name & NameOf<Channels, Name>): Channel<DataOf<Channels, Name>> {
    return new Channel<DataOf<Channels, Name>>(name, this.#followings, this.#ask.bind(this));
  }

  /** Connects now: for the first time, after an end, after signing in, or instead of waiting longer. */
  start(): void {
    const { kind } = this.#state;
    if (this.#settings.signal?.aborted || kind === 'connecting' || kind === 'open') return;
    if (kind !== 'waiting') this.#failures = 0;
    this.#watching ??= this.#settings.surroundings((event) => this.#around(event));
    void this.#attempt();
  }

  /** Ends the connection and stays away until {@link Wire.start}. What waits is rejected; listeners are kept. Does nothing where it has ended. */
  close(): void {
    this.#end({ kind: 'stopped' });
  }

  /**
   * Ends the session. This side forgets everything at once, whatever the server says: channels, positions, what waits.
   * Rejects where the server could not be told, for then the session still lives there.
   */
  async signOut(): Promise<void> {
    this.#wipe('client');
    await endSession(this.#request());
  }

  /** Calls any method of the server. Waits for a connection while one is coming. */
  call(method: string, params: object = {}, options: Abortable = {}): Promise<unknown> {
    return this.#ask(method, params, (result) => result, options.signal);
  }

  /** Replaces the proof of who this is with a fresh token of the same subject. Resolves with its expiry in ms since the epoch. */
  refresh(token: string, options: Abortable = {}): Promise<number> {
    return this.#ask('refresh', { token }, readExpiry, options.signal);
  }

  /** Asks whether the server lives. Resolves with the round trip in milliseconds. */
  ping(options: Abortable = {}): Promise<number> {
    const sent = this.#settings.clock.now();
    return this.#ask('ping', {}, () => this.#settings.clock.now() - sent, options.signal);
  }

  /** A cookie alone is enough, but of a refusal only the request for a ticket learns; so who failed before asks for one. */
  async #attempt(bare = this.#settings.auth.ambient && this.#failures === 0): Promise<void> {
    const ask = this.#request();
    const { trace, abort } = ask;
    const underway: Underway = { drop: () => abort.abort() };
    this.#enter({ kind: 'connecting', attempt: this.#failures, trace }, underway);
    await inOurWords('unreachable', trace, async () => {
      const entry = bare ? byCookie : await fetchTicket(ask);
      if (this.#underway !== underway) return;
      // Its constructor throws where the page's own policy forbids the address.
      const connection: Connection = new Connection(entry, ask, {
        opened: (handle) => {
          if (handle !== undefined && this.#handle !== undefined && handle !== this.#handle) return this.#wipe('another-user');
          this.#handle = handle;
          this.#enter({ kind: 'open', trace }, connection);
          // A listener of this state, or of a channel's, may have closed already.
          if (this.#underway !== connection) return;
          this.#stable = this.#settings.clock.after(this.#settings.stableAfterMs, () => void (this.#failures = 0));
          for (const part of this.#parts) if (this.#underway === connection) part.resume(connection);
        },
        freed: () => {
          for (const part of this.#parts) part.pump();
        },
        notified: (notification) => this.#notified(notification),
        ended: (code, word) => this.#underway === connection && (entry === byCookie && this.#state.kind === 'connecting' ? this.#attempt(false) : this.#ended(code, word, trace)),
      });
      this.#underway = connection;
    }).catch((error: WardwireError) => {
      if (this.#underway === underway) this.#decide(adviceForRefusal(error), { kind: 'refused', error });
    });
  }

  /** What is asked under a name of its own: the application's; or one of ours, where it fails to give one. */
  #request(): Settings & Ask {
    let trace = newTrace();
    try {
      const given = this.#settings.newTrace();
      demandFit('newTrace', isText(given) && /^[\w-]{8,64}$/.test(given));
      trace = given;
    } catch (error) {
      report(error);
    }
    return { ...this.#settings, trace, abort: new AbortController() };
  }

  #notified(notification: Notification): void {
    if (notification.kind === 'unknown') return;
    if (notification.kind !== 'expiring') return this.#followings.deliver(notification);
    this.#emitter.emit('expiring', { expiresAt: notification.expiresAt });
    const { auth: { token }, clock } = this.#settings;
    const now = clock.now();
    if (!token || Math.abs(now - this.#refreshedAt) < refreshEveryMs) return;
    this.#refreshedAt = now;
    // Meanwhile it may be another connection, and another user's.
    const asker = this.#underway;
    // Where no fresh token can be had the server ends the socket in time, and says so.
    void (async () => {
      const fresh = await token();
      if (this.#underway === asker) await this.refresh(fresh);
    })().catch(() => undefined);
  }

  #ended(code: number, word: string, trace: string): void {
    if (word === 'logged-out' || word === 'revoked') return this.#wipe('server', word);
    // Whoever is asked for tokens has a fresh one, or is told by the gate that it is none.
    const advice = word === 'expired' && this.#settings.auth.token ? 'at-once' : adviceFor(code, word);
    this.#decide(advice, { kind: 'closed', code, word, advice, trace });
  }

  #decide(advice: Advice, reason: Reason): void {
    if (advice === 'never' || advice === 'after-sign-in') return this.#end(reason);
    // A server that says "at once" again and again would be called in a loop: the second time there is a wait.
    const atOnce = advice === 'at-once' && this.#failures === 0;
    const wait = atOnce ? 0 : waitMs(this.#settings, this.#failures, errorOf(reason).retryAfterMs);
    this.#failures += 1;
    this.#wait(wait, reason);
  }

  #wait(ms: number, reason: Reason): void {
    const timer = this.#settings.clock.after(ms, () => void this.#attempt());
    this.#enter({ kind: 'waiting', until: this.#settings.clock.now() + ms, attempt: this.#failures, reason }, { drop: timer });
  }

  /** What a page is told of its surroundings. A network that is back is used soon, not by all at one moment. */
  #around(event: Surrounding): void {
    const state = this.#state;
    if (event === 'pageshow') return this.start();
    if (event === 'pagehide') return this.#enter({ kind: 'suspended' });
    if (state.kind === 'open') return this.#underway?.probe?.();
    // A server that named a time is not asked before it.
    if (event !== 'online' || state.kind !== 'waiting' || errorOf(state.reason).retryAfterMs) return;
    this.#wait(waitMs(this.#settings, 0, null), state.reason);
  }

  /** Forgets all of the user before: nothing of it may reach the next, or be published in their name. */
  #wipe(by: SignedOut['by'], word = ''): void {
    this.#handle = undefined;
    this.#end({ kind: 'signed-out', by, word });
  }

  #end(reason: Reason): void {
    const { kind } = reason;
    const forget = kind === 'signed-out';
    // Whoever closes or signs out because it ended does nothing.
    if (this.#state.kind === 'ended' && (!forget || this.#state.reason.kind === kind)) return;
    // Nothing around matters to a client that stays away.
    this.#watching?.();
    this.#watching = undefined;
    this.#enter({ kind: 'ended', reason }, undefined, () => {
      for (const part of this.#parts) part.abandon(errorOf(reason), forget);
    });
    if (forget) this.#emitter.emit(kind, reason);
  }

  /**
   * Goes on to a state, and stops what went on before. INVARIANT: that calls back no more. As it is stopped, its listeners
   * may already have gone on to another state.
   */
  #enter(state: State, underway?: Underway, then?: () => void): void {
    const left = this.#underway;
    this.#state = state;
    this.#underway = underway;
    this.#stable?.();
    for (const part of this.#parts) part.resume();
    then?.();
    if (left !== underway) left?.drop(state.kind, 1000);
    if (this.#state === state) this.#emitter.emit('state', state);
  }

  async #ask<T>(method: string, params: object, read: (result: unknown) => T, signal: AbortSignal | undefined, effort?: Effort): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    demandFit('method', isText(method));
    const text = encodeParams(params, this.#settings.maxMessageBytes);
    if (!this.#watching) throw new ConnectionError('disconnected');
    return (effort === 'repeated' ? this.#publications : this.#calls).add(method, text, (params as { channel?: unknown }).channel, read, signal, effort);
  }
}

/** What waits is told of a connection that is no more. */
function errorOf(reason: Reason): WardwireError {
  if (reason.kind === 'refused') return reason.error;
  if (reason.kind === 'closed') return new ConnectionError('disconnected', { title: `Closed: ${reason.code} ${reason.word}`, trace: reason.trace });
  return new ConnectionError(reason.kind === 'stopped' ? 'closed' : reason.by === 'another-user' ? reason.by : reason.kind);
}

/** Makes a client and starts it. `Channels` is what `wardwire types` writes. */
export function connect<Channels = AnyChannels>(url: string | URL, options: Options): Wire<Channels> {
  const wire = new Wire<Channels>(url, options);
  wire.start();
  return wire;
}

const defaults = {
  auth: undefined,
  route: '',
  signal: undefined,
  platform: {},
  backoff: defaultBackoff,
  stableAfterMs: 5000,
  connectTimeoutMs: 15_000,
  requestTimeoutMs: 10_000,
  publishTimeoutMs: 30_000,
  pingEveryMs: 25_000,
  maxMessageBytes: 65_536,
  maxPending: 1000,
  newTrace,
} satisfies { readonly [Name in keyof Options]-?: unknown };
