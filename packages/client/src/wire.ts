/** The client: gets in with a fresh ticket, comes back as the server advises, and forgets everything at sign-out. */

import type { Published } from './answers.js';
import { type Backoff, defaultBackoff, waitMs } from './backoff.js';
import { Channel, type Doors } from './channel.js';
import { type Advice, adviceFor } from './codes.js';
import { Connection, type ConnectionLimits, type End, localEnds } from './connection.js';
import { type Abortable, Emitter, orAborted, type Unsubscribe, whenAborted } from './emitter.js';
import { adviceForRefusal, ConnectionError, UsageError, WardwireError } from './error.js';
import { Followings, type Send } from './following.js';
import { type Notification, readExpiry } from './frames.js';
import type { AnyChannels, DataOf, NameOf } from './names.js';
import { Outgoing } from './outgoing.js';
import { encodeParams } from './params.js';
import { newTrace, type Platform, platformWith, type Surrounding, type Timer } from './platform.js';
import type { Reason, State } from './state.js';
import { type Ask, type Auth, type Endpoint, endSession, fetchTicket, readEndpoint } from './ticket.js';

/** How to connect. Only `auth` is needed. */
export interface Options extends Abortable {
  /** {@link session}, {@link bearer} or {@link tickets}. */
  readonly auth: Auth;
  /** The route that a ticket is for; default: the path of the address. */
  readonly route?: string;
  /** Default: half a second, doubling, to half a minute. */
  readonly backoff?: Backoff;
  /** A connection that held this long clears the count of failures. Default 5 s. */
  readonly stableAfterMs?: number;
  /** Time for a ticket and for the handshake, each. Default 15 s. */
  readonly connectTimeoutMs?: number;
  /** Time for the answer to a call. Default 10 s. */
  readonly requestTimeoutMs?: number;
  /** Time in which a publication is acknowledged or rejected, reconnects included. Default 30 s, at most 4 minutes. */
  readonly publishTimeoutMs?: number;
  /** After so much silence the server is asked whether it lives. Default 25 s. */
  readonly pingEveryMs?: number;
  /** Larger messages are not sent. Default 65,536 bytes, the server's own default. */
  readonly maxMessageBytes?: number;
  /** Calls that may wait for an answer, and publications that may wait for a connection, each. Default 1000. */
  readonly maxPending?: number;
  /** Makes the id that names an attempt in the server's audit log. Default: 16 random bytes. */
  readonly newTrace?: () => string;
  /** What to use in place of the browser's own. */
  readonly platform?: Partial<Platform>;
}

/** What a client tells. */
export interface Events {
  /** Every change of {@link Wire.state}. */
  state: State;
  /** The proof of who this is ends soon. With {@link bearer} a fresh one was already asked for. */
  expiring: { readonly expiresAt: number };
  /** Everything of this user was wiped. */
  'signed-out': Extract<Reason, { kind: 'signed-out' }>;
}

/** What the state holds inside; never two booleans. */
type Phase =
  | { readonly kind: 'idle' | 'ended' | 'suspended' }
  | { readonly kind: 'asking'; readonly abort: AbortController }
  | { readonly kind: 'linked'; readonly connection: Connection; readonly stable: Timer | null }
  | { readonly kind: 'waiting'; readonly timer: Timer };

/** The server forgets ids after five minutes; a publication that is repeated must be sooner. */
const longestPublishMs = 240_000;

/** A server that tells of expiry again and again must not have tokens asked for in a loop. */
const refreshEveryMs = 5000;

export class Wire<Channels = AnyChannels> {
  readonly #options: Options;
  readonly #platform: Platform;
  readonly #endpoint: Endpoint;
  readonly #limits: ConnectionLimits;
  readonly #emitter = new Emitter<Events>();
  readonly #followings: Followings;
  readonly #outgoing: Outgoing;
  readonly #doors: Doors;
  readonly #waiters = new Set<(outcome: Send | WardwireError) => void>();
  #watching: Unsubscribe | null = null;
  #state: State = { kind: 'idle' };
  #phase: Phase = { kind: 'idle' };
  #send: Send | null = null;
  #failures = 0;
  #refreshedAt = -Infinity;

  /**
   * An idle client; {@link Wire.start} begins. In a page a path will do as the address. Throws TypeError for one with a
   * query, a fragment, a user or a password, and for plain `ws:` that leaves this machine.
   */
  constructor(url: string | URL, options: Options) {
    this.#options = options;
    this.#platform = platformWith(options.platform ?? {});
    this.#endpoint = readEndpoint(url, options.route);
    const maxPending = options.maxPending ?? 1000;
    this.#limits = {
      handshakeMs: options.connectTimeoutMs ?? 15_000,
      requestMs: options.requestTimeoutMs ?? 10_000,
      pingEveryMs: options.pingEveryMs ?? 25_000,
      maxPending,
      maxBufferedBytes: 4 * 1024 * 1024,
    };
    this.#followings = new Followings(this.#platform, (how) => this.#drop(localEnds[how]));
    const publishMs = Math.min(longestPublishMs, options.publishTimeoutMs ?? 30_000);
    const queue = { maxQueued: maxPending, maxQueuedChars: 4 * 1024 * 1024, publishMs };
    this.#outgoing = new Outgoing(queue, this.#platform.clock, () => this.#drop(localEnds.malformed));
    this.#doors = {
      followings: this.#followings,
      ask: (method, params, read, signal) => this.#ask(method, params, read, signal),
      publish: (params, signal) => this.#publish(params, signal),
    };
    if (options.signal?.aborted !== true) whenAborted(options.signal, () => this.close());
  }

  get state(): State {
    return this.#state;
  }

  /** Listens, until what is returned is called or the signal aborts. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, options: Abortable = {}): Unsubscribe {
    const stop = this.#emitter.on(name, listener);
    whenAborted(options.signal, stop);
    return stop;
  }

  /** A channel by its name. Nothing is asked of the server before somebody listens, publishes or calls. */
  channel<const Name extends string>(name: Name & NameOf<Channels, Name>): Channel<DataOf<Channels, Name>> {
    return new Channel<DataOf<Channels, Name>>(name, this.#doors);
  }

  /** Connects now: for the first time, after an end, after signing in, or instead of waiting longer. */
  start(): void {
    if (this.#options.signal?.aborted === true || this.#phase.kind === 'asking' || this.#phase.kind === 'linked') return;
    if (this.#phase.kind === 'waiting') this.#phase.timer.cancel();
    else this.#failures = 0;
    this.#watching ??= this.#platform.surroundings((event) => this.#around(event));
    void this.#attempt();
  }

  /** Ends the connection and stays away until {@link Wire.start}. What waits is rejected; listeners are kept. */
  close(): void {
    this.#leave();
    this.#end({ kind: 'stopped' }, new ConnectionError({ code: 'closed', title: 'The client was closed.' }));
  }

  /**
   * Ends the session. This side forgets everything at once, whatever the server says: channels, positions, what waits.
   * Rejects where the server could not be told, for then the session still lives there.
   */
  async signOut(): Promise<void> {
    this.#leave();
    this.#wipe({ kind: 'signed-out', by: 'client', word: '' });
    await endSession(this.#asking(this.#trace(), new AbortController().signal), this.#platform);
  }

  /** Calls any method of the server. Waits for a connection while one is coming. */
  call(method: string, params: object = {}, options: Abortable = {}): Promise<unknown> {
    return this.#request(method, params, options.signal);
  }

  /** Replaces the proof of who this is with a fresh token of the same subject. Resolves with its expiry in ms since the epoch. */
  refresh(token: string, options: Abortable = {}): Promise<number> {
    return this.#ask('refresh', { token }, readExpiry, options.signal);
  }

  /** Asks whether the server lives. Resolves with the round trip in milliseconds. */
  async ping(options: Abortable = {}): Promise<number> {
    const sent = this.#platform.clock.now();
    await this.#request('ping', {}, options.signal);
    return this.#platform.clock.now() - sent;
  }

  async #attempt(): Promise<void> {
    const trace = this.#trace();
    const abort = new AbortController();
    this.#enter({ kind: 'asking', abort }, { kind: 'connecting', attempt: this.#failures, trace });
    let ticket: string;
    try {
      ticket = await fetchTicket(this.#asking(trace, abort.signal), this.#platform);
    } catch (cause) {
      if (abort.signal.aborted) return;
      const error = cause instanceof WardwireError ? cause : new ConnectionError({ code: 'unreachable', title: String(cause), trace });
      return this.#decide(adviceForRefusal(error), { kind: 'refused', error }, error);
    }
    if (abort.signal.aborted) return;
    try {
      this.#link(ticket, trace);
    } catch (cause) {
      // The constructor throws where the page's own policy forbids the address.
      const error = new ConnectionError({ code: 'unreachable', title: 'The socket could not be opened.', trace, cause });
      this.#decide('later', { kind: 'refused', error }, error);
    }
  }

  #link(ticket: string, trace: string): void {
    const connection: Connection = new Connection(this.#endpoint.socket, ticket, trace, this.#platform, this.#limits, {
      opened: () => this.#opened(connection, trace),
      notified: (notification) => this.#notified(notification),
      ended: (end) => this.#ended(connection, end, trace),
    });
    this.#phase = { kind: 'linked', connection, stable: null };
  }

  #opened(connection: Connection, trace: string): void {
    const stable = this.#platform.clock.after(this.#options.stableAfterMs ?? 5000, () => void (this.#failures = 0));
    const send: Send = (method, params) => connection.request(method, params);
    this.#send = send;
    this.#enter({ kind: 'linked', connection, stable }, { kind: 'open', trace });
    // A listener of the state may have closed already.
    if (this.#send !== send) return;
    this.#followings.resume(send);
    this.#outgoing.resume(send);
    this.#wake(send);
  }

  #notified(notification: Notification): void {
    if (notification.kind === 'unknown') return;
    if (notification.kind !== 'expiring') return this.#followings.deliver(notification);
    this.#emitter.emit('expiring', { expiresAt: notification.expiresAt });
    const { auth } = this.#options;
    const now = this.#platform.clock.now();
    if (auth.kind !== 'bearer' || now - this.#refreshedAt < refreshEveryMs) return;
    this.#refreshedAt = now;
    // Where no fresh token can be had the server ends the socket in time, and says so.
    void (async () => this.refresh(await auth.token()))().catch(() => undefined);
  }

  #ended(connection: Connection, end: End, trace: string): void {
    if (this.#phase.kind !== 'linked' || this.#phase.connection !== connection) return;
    this.#unlink(this.#phase.stable);
    if (end.code === 3000 && (end.word === 'logged-out' || end.word === 'revoked')) {
      return this.#wipe({ kind: 'signed-out', by: 'server', word: end.word });
    }
    const advice = adviceFor(end.code, end.word);
    const title = `The connection was closed: ${end.code} ${end.word}`.trimEnd();
    this.#decide(advice, { kind: 'closed', ...end, advice, trace }, new ConnectionError({ code: 'disconnected', title, trace }));
  }

  #decide(advice: Advice, reason: Reason, error: WardwireError): void {
    if (advice === 'never' || advice === 'after-sign-in') return this.#end(reason, error);
    // A server that says "at once" again and again would be called in a loop: the second time there is a wait.
    const atOnce = advice === 'at-once' && this.#failures === 0;
    const { clock, random } = this.#platform;
    const wait = atOnce ? 0 : waitMs(this.#options.backoff ?? defaultBackoff, this.#failures, error.retryAfterMs, random);
    this.#failures += 1;
    const timer = clock.after(wait, () => void this.#attempt());
    this.#enter({ kind: 'waiting', timer }, { kind: 'waiting', until: clock.now() + wait, attempt: this.#failures, reason });
  }

  /** What a page is told of its surroundings. A network that is back is used soon, not by all at one moment. */
  #around(event: Surrounding): void {
    const phase = this.#phase;
    if (event === 'restored') return phase.kind === 'suspended' ? this.start() : undefined;
    if (event === 'cached' && phase.kind !== 'idle' && phase.kind !== 'ended') {
      this.#leave(localEnds.cached);
      return this.#enter({ kind: 'suspended' }, { kind: 'suspended' });
    }
    if (phase.kind === 'linked' && this.#send !== null) return phase.connection.probe();
    if (event !== 'online' || phase.kind !== 'waiting' || this.#state.kind !== 'waiting') return;
    const { reason, attempt } = this.#state;
    // A server that named a time is not asked before it.
    if (reason.kind === 'refused' && reason.error.retryAfterMs !== null) return;
    phase.timer.cancel();
    const { clock, random } = this.#platform;
    const wait = waitMs(this.#options.backoff ?? defaultBackoff, 0, null, random);
    const timer = clock.after(wait, () => void this.#attempt());
    this.#enter({ kind: 'waiting', timer }, { kind: 'waiting', until: clock.now() + wait, attempt, reason });
  }

  #end(reason: Reason, error: WardwireError): void {
    this.#rest();
    this.#followings.abandon(error);
    this.#outgoing.abandon(error);
    this.#wake(error);
    this.#enter({ kind: 'ended' }, { kind: 'ended', reason });
  }

  #wipe(reason: Extract<Reason, { kind: 'signed-out' }>): void {
    const error = new ConnectionError({ code: 'signed-out', title: 'Signed out.' });
    this.#rest();
    this.#followings.wipe(error);
    this.#outgoing.abandon(error);
    this.#wake(error);
    this.#failures = 0;
    this.#enter({ kind: 'ended' }, { kind: 'ended', reason });
    this.#emitter.emit('signed-out', reason);
  }

  /** Stops whatever goes on. INVARIANT: nothing of the phase that was left calls back afterwards. */
  #leave(end: End = localEnds.done): void {
    const left = this.#phase;
    this.#phase = { kind: 'ended' };
    if (left.kind === 'asking') left.abort.abort();
    if (left.kind === 'waiting') left.timer.cancel();
    if (left.kind !== 'linked') return;
    this.#unlink(left.stable);
    left.connection.drop(end);
  }

  #unlink(stable: Timer | null): void {
    stable?.cancel();
    this.#send = null;
    this.#followings.resume(null);
    this.#outgoing.resume(null);
  }

  /** Nothing around matters to a client that stays away. */
  #rest(): void {
    this.#watching?.();
    this.#watching = null;
  }

  #enter(phase: Phase, state: State): void {
    this.#phase = phase;
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  #drop(end: End): void {
    if (this.#phase.kind === 'linked') this.#phase.connection.drop(end);
  }

  #wake(outcome: Send | WardwireError): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter(outcome);
  }

  /** The connection, once there is one; not for longer than an answer may take. */
  #connected(): Promise<Send> {
    if (this.#send !== null) return Promise.resolve(this.#send);
    const none = (): ConnectionError => new ConnectionError({ code: 'disconnected', title: 'There is no open connection.' });
    if (this.#state.kind === 'idle' || this.#state.kind === 'ended') return Promise.reject(none());
    if (this.#waiters.size >= this.#limits.maxPending) {
      return Promise.reject(new UsageError({ code: 'queue-full', title: 'Too much waits for a connection.' }));
    }
    return new Promise((resolve, reject) => {
      const settle = (outcome: Send | WardwireError): void => {
        timer.cancel();
        this.#waiters.delete(settle);
        if (typeof outcome === 'function') resolve(outcome);
        else reject(outcome);
      };
      const timer = this.#platform.clock.after(this.#limits.requestMs, () => settle(none()));
      this.#waiters.add(settle);
    });
  }

  async #request(method: string, params: object, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    const text = this.#encode(params);
    const ask = async (): Promise<unknown> => {
      const send = this.#send ?? (await this.#connected());
      signal?.throwIfAborted();
      return send(method, text);
    };
    return orAborted(ask(), signal);
  }

  async #ask<T>(method: string, params: object, read: (result: unknown) => T | null, signal: AbortSignal | undefined): Promise<T> {
    const value = read(await this.#request(method, params, signal));
    if (value !== null) return value;
    // What the protocol promises; a server that breaks it is left.
    this.#drop(localEnds.malformed);
    throw new ConnectionError({ code: 'malformed-answer', title: 'The server broke the protocol.' });
  }

  async #publish(params: object, signal: AbortSignal | undefined): Promise<Published> {
    const text = this.#encode(params);
    if (this.#state.kind === 'idle' || this.#state.kind === 'ended') {
      throw new ConnectionError({ code: 'disconnected', title: 'There is no open connection, and none is coming.' });
    }
    return this.#outgoing.add(text, signal);
  }

  #encode(params: object): string {
    return encodeParams(params, this.#options.maxMessageBytes ?? 65_536);
  }

  #trace(): string {
    return (this.#options.newTrace ?? newTrace)();
  }

  #asking(trace: string, signal: AbortSignal): Ask {
    const timeoutMs = this.#options.connectTimeoutMs ?? 15_000;
    return { endpoint: this.#endpoint, auth: this.#options.auth, trace, timeoutMs, signal };
  }
}

/** Makes a client and starts it. `Channels` is what `wardwire types` writes. */
export function connect<Channels = AnyChannels>(url: string | URL, options: Options): Wire<Channels> {
  const wire = new Wire<Channels>(url, options);
  wire.start();
  return wire;
}
