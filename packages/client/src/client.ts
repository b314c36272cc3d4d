/** The client: gets in with a fresh ticket, comes back as the server advises, and forgets everything at sign-out. */

import { type Backoff, defaultBackoff, waitMs } from './backoff.js';
import { type Advice, adviceFor } from './codes.js';
import { Connection, type ConnectionLimits, type End, localEnds } from './connection.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { adviceForRefusal, WardwireError } from './error.js';
import { newTrace, type Platform, platformWith, type Timer } from './platform.js';
import type { Calls } from './protocol.js';
import type { Reason, State } from './state.js';
import { type Handler, type Send, type SubscriptionStart, Subscriptions } from './subscriptions.js';
import { type Ask, type Credential, type Endpoint, endSession, fetchTicket, readEndpoint } from './ticket.js';
import { type Frame, type Publication, readExpiry, readPosition } from './wire.js';

/** How to connect. Only `url` and `credential` are needed. */
export interface Options {
  /** The socket's address, `wss://host/live`; in a page a path will do. Holds no query, fragment, user or password. */
  readonly url: string | URL;
  /** The route that a ticket is for; default: the path of `url`. */
  readonly route?: string;
  readonly credential: Credential;
  /** Default: half a second, doubling, to half a minute. */
  readonly backoff?: Backoff;
  /** A connection that held this long clears the count of failures. Default 5 s. */
  readonly stableAfterMs?: number;
  /** Time for a ticket and for the handshake, each. Default 15 s. */
  readonly connectTimeoutMs?: number;
  /** Time for the answer to a request. Default 10 s. */
  readonly requestTimeoutMs?: number;
  /** After so much silence the server is asked whether it lives. Default 25 s. */
  readonly pingEveryMs?: number;
  /** Larger messages are not sent. Default 65,536 bytes, the server's own default. */
  readonly maxMessageBytes?: number;
  /** Requests that may wait for an answer. Default 1000. */
  readonly maxPending?: number;
  /** Makes the id that names an attempt in the server's audit log. Default: 16 random bytes. */
  readonly newTrace?: () => string;
  /** What to use in place of the browser's own. */
  readonly platform?: Partial<Platform>;
}

/** What a client tells. */
export interface Events {
  /** Every change of {@link Client.state}. */
  state: State;
  /** Every publication, after its channel's own handlers. */
  publication: Publication;
  /** A channel is followed, for the first time or again after a reconnect. */
  subscribed: SubscriptionStart;
  /** A channel that was followed could not be taken up again. */
  unsubscribed: { readonly channel: string; readonly error: WardwireError };
  /** The proof of who this is ends soon. With a token credential a fresh one was already asked for. */
  expiring: { readonly expiresAt: number };
  /** Everything of this user was wiped. */
  'signed-out': Extract<Reason, { kind: 'signed-out' }>;
}

/** What the state holds inside; never two booleans. */
type Phase =
  | { readonly kind: 'idle' | 'ended' }
  | { readonly kind: 'asking'; readonly abort: AbortController }
  | { readonly kind: 'linked'; readonly connection: Connection; readonly stable: Timer | null }
  | { readonly kind: 'waiting'; readonly timer: Timer };

export class Client {
  readonly #options: Options;
  readonly #platform: Platform;
  readonly #endpoint: Endpoint;
  readonly #limits: ConnectionLimits;
  readonly #emitter = new Emitter<Events>();
  readonly #subscriptions: Subscriptions;
  #state: State = { kind: 'idle' };
  #phase: Phase = { kind: 'idle' };
  #failures = 0;

  /** An idle client; {@link Client.start} begins. Throws TypeError for an address that is not fit (see {@link Options.url}). */
  constructor(options: Options) {
    this.#options = options;
    this.#platform = platformWith(options.platform ?? {});
    this.#endpoint = readEndpoint(options.url, options.route);
    this.#limits = {
      handshakeMs: options.connectTimeoutMs ?? 15_000,
      requestMs: options.requestTimeoutMs ?? 10_000,
      pingEveryMs: options.pingEveryMs ?? 25_000,
      maxPending: options.maxPending ?? 1000,
      maxMessageBytes: options.maxMessageBytes ?? 65_536,
      maxBufferedBytes: 4 * 1024 * 1024,
    };
    this.#subscriptions = new Subscriptions({
      started: (start) => this.#emitter.emit('subscribed', start),
      refused: (channel, error) => this.#emitter.emit('unsubscribed', { channel, error }),
      delivered: (publication) => this.#emitter.emit('publication', publication),
      malformed: () => this.#drop(localEnds.malformed),
    });
  }

  get state(): State {
    return this.#state;
  }

  /** Listens; call what is returned to stop. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Unsubscribe {
    return this.#emitter.on(name, listener);
  }

  /** Connects now: for the first time, after an end, after signing in, or instead of waiting longer. */
  start(): void {
    if (this.#phase.kind === 'asking' || this.#phase.kind === 'linked') return;
    if (this.#phase.kind === 'waiting') this.#phase.timer.cancel();
    else this.#failures = 0;
    void this.#attempt();
  }

  /** Ends the connection and stays away until {@link Client.start}. Subscriptions are kept for then. */
  close(): void {
    this.#leave();
    this.#end({ kind: 'stopped' }, new WardwireError({ code: 'closed', title: 'The client was closed.' }));
  }

  /**
   * Ends the session. This side forgets everything at once, whatever the server says: subscriptions, positions, pending
   * requests. Rejects where the server could not be told, for then the session still lives there.
   */
  async signOut(): Promise<void> {
    this.#leave();
    this.#wipe({ kind: 'signed-out', by: 'client', word: '' });
    await endSession(this.#ask(this.#trace(), new AbortController().signal), this.#platform);
  }

  /**
   * Follows a channel, now and after every reconnect. Resolves once the server said yes; waits for a connection if there
   * is none. `since` is a position to catch up from.
   */
  subscribe(channel: string, handler: Handler, options: { readonly since?: string } = {}): Promise<SubscriptionStart> {
    return this.#subscriptions.add(channel, handler, options.since ?? null, this.#sender());
  }

  /** Stops a handler, or with none given all of a channel. */
  async unsubscribe(channel: string, handler?: Handler): Promise<void> {
    const send = this.#sender();
    if (this.#subscriptions.remove(channel, handler) && send !== null) await send('unsubscribe', { channel });
  }

  /** Publishes any JSON. Resolves with its position, once the server has it; rejects at once without a connection. */
  async publish(channel: string, data: unknown, options: { readonly id?: string } = {}): Promise<string> {
    if (data === undefined) throw new WardwireError({ code: 'not-json', title: 'That cannot be written as JSON.' });
    const result = await this.#request('publish', { channel, data, ...(options.id === undefined ? {} : { id: options.id }) });
    return this.#promised(readPosition(result));
  }

  /** Replaces the proof of who this is with a fresh token of the same subject. Resolves with its expiry in ms since the epoch. */
  async refresh(token: string): Promise<number> {
    return this.#promised(readExpiry(await this.#request('refresh', { token })));
  }

  /** Asks whether the server lives. Resolves with the round trip in milliseconds. */
  async ping(): Promise<number> {
    const sent = this.#platform.clock.now();
    await this.#request('ping', {});
    return this.#platform.clock.now() - sent;
  }

  async #attempt(): Promise<void> {
    const trace = this.#trace();
    const abort = new AbortController();
    this.#enter({ kind: 'asking', abort }, { kind: 'connecting', attempt: this.#failures, trace });
    let ticket: string;
    try {
      ticket = await fetchTicket(this.#ask(trace, abort.signal), this.#platform);
    } catch (cause) {
      if (abort.signal.aborted) return;
      const error = cause instanceof WardwireError ? cause : new WardwireError({ code: 'unreachable', title: String(cause), trace });
      return this.#decide(adviceForRefusal(error), { kind: 'refused', error }, error);
    }
    if (abort.signal.aborted) return;
    try {
      this.#link(ticket, trace);
    } catch (cause) {
      // The constructor throws where the page's own policy forbids the address.
      const error = new WardwireError({ code: 'unreachable', title: 'The socket could not be opened.', trace, cause });
      this.#decide('later', { kind: 'refused', error }, error);
    }
  }

  #link(ticket: string, trace: string): void {
    const connection: Connection = new Connection(this.#endpoint.socket, ticket, trace, this.#platform, this.#limits, {
      opened: () => this.#opened(connection, trace),
      notified: (frame) => this.#notified(frame),
      ended: (end) => this.#ended(connection, end, trace),
    });
    this.#phase = { kind: 'linked', connection, stable: null };
  }

  #opened(connection: Connection, trace: string): void {
    const stable = this.#platform.clock.after(this.#options.stableAfterMs ?? 5000, () => (this.#failures = 0));
    this.#enter({ kind: 'linked', connection, stable }, { kind: 'open', trace });
    const send = this.#sender();
    if (send !== null) this.#subscriptions.resume(send);
  }

  #notified(frame: Extract<Frame, { kind: 'publication' | 'expiring' | 'unknown' }>): void {
    if (frame.kind === 'publication') return this.#subscriptions.deliver(frame.publication);
    if (frame.kind === 'unknown') return;
    this.#emitter.emit('expiring', { expiresAt: frame.expiresAt });
    const { credential } = this.#options;
    if (credential.kind !== 'token') return;
    // Where no fresh token can be had the server ends the socket in time, and says so.
    void (async () => this.refresh(await credential.token()))().catch(() => undefined);
  }

  #ended(connection: Connection, end: End, trace: string): void {
    if (this.#phase.kind !== 'linked' || this.#phase.connection !== connection) return;
    this.#phase.stable?.cancel();
    if (end.code === 3000 && (end.word === 'logged-out' || end.word === 'revoked')) {
      return this.#wipe({ kind: 'signed-out', by: 'server', word: end.word });
    }
    const advice = adviceFor(end.code, end.word);
    const title = `The connection was closed: ${end.code} ${end.word}`.trimEnd();
    this.#decide(advice, { kind: 'closed', ...end, advice, trace }, new WardwireError({ code: 'disconnected', title, trace }));
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

  #end(reason: Reason, error: WardwireError): void {
    this.#subscriptions.abandon(error);
    this.#enter({ kind: 'ended' }, { kind: 'ended', reason });
  }

  #wipe(reason: Extract<Reason, { kind: 'signed-out' }>): void {
    this.#subscriptions.wipe(new WardwireError({ code: 'signed-out', title: 'Signed out.' }));
    this.#failures = 0;
    this.#enter({ kind: 'ended' }, { kind: 'ended', reason });
    this.#emitter.emit('signed-out', reason);
  }

  /** Stops whatever goes on. INVARIANT: nothing of the phase that was left calls back afterwards. */
  #leave(): void {
    const left = this.#phase;
    this.#phase = { kind: 'ended' };
    if (left.kind === 'asking') left.abort.abort();
    if (left.kind === 'waiting') left.timer.cancel();
    if (left.kind !== 'linked') return;
    left.stable?.cancel();
    left.connection.drop(localEnds.done);
  }

  #enter(phase: Phase, state: State): void {
    this.#phase = phase;
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  #drop(end: End): void {
    if (this.#phase.kind === 'linked') this.#phase.connection.drop(end);
  }

  #sender(): Send | null {
    const phase = this.#phase;
    return this.#state.kind === 'open' && phase.kind === 'linked'
      ? (method, params) => phase.connection.request(method, params)
      : null;
  }

  async #request<Method extends keyof Calls>(method: Method, params: Calls[Method]['params']): Promise<unknown> {
    const send = this.#sender();
    if (send === null) throw new WardwireError({ code: 'disconnected', title: 'There is no open connection.' });
    return send(method, params);
  }

  /** What the protocol promises; a server that breaks it is left. */
  #promised<T>(value: T | null): T {
    if (value !== null) return value;
    this.#drop(localEnds.malformed);
    throw new WardwireError({ code: 'malformed-answer', title: 'The server broke the protocol.' });
  }

  #trace(): string {
    return (this.#options.newTrace ?? newTrace)();
  }

  #ask(trace: string, signal: AbortSignal): Ask {
    const timeoutMs = this.#options.connectTimeoutMs ?? 15_000;
    return { endpoint: this.#endpoint, credential: this.#options.credential, trace, timeoutMs, signal };
  }
}

/** Makes a client and starts it. */
export function connect(options: Options): Client {
  const client = new Client(options);
  client.start();
  return client;
}
