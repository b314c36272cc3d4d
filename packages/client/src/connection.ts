/**
 * One socket from its handshake to its end: requests and their answers, notifications, and the watch for a dead server.
 *
 * It reconnects nothing and remembers nothing; whoever made it does.
 */

import { ConnectionError, rpcError, type WardwireError } from './error.js';
import { demand, type Frame, type Notification, readFrame } from './frames.js';
import { callsAtOnce, longestRestMs } from './limits.js';
import type { Cancel, Platform, SocketLike } from './platform.js';
import type { State } from './state.js';
import { byCookie, type Endpoint, type Entry } from './ticket.js';

/** How this side ends a connection: for what the client goes on to, or for what is wrong with it. */
type LocalEnd = State['kind'] | 'malformed' | 'protocol' | 'dead' | 'slow-handshake';

/** Where to, with what, and bounds in milliseconds and pieces. */
export interface ConnectionSettings extends Platform {
  readonly endpoint: Endpoint;
  /** Of this attempt. */
  readonly trace: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pingEveryMs: number;
}

/** Who is told. After `ended` nothing more comes. */
export interface ConnectionListener {
  /** With whose it is. */
  opened(handle: Entry['handle']): void;
  /** A call was answered or given up: there may be room for another. */
  freed(): unknown;
  notified(notification: Notification): void;
  /** The close code, and the first word of its reason. */
  ended(code: number, word: string): unknown;
}

/** Told once, of the two either: the answer, or why there is none. */
type Settle = (error: WardwireError | null, result?: unknown) => void;

const subprotocol = 'wardwire.v1';

export class Connection {
  readonly #socket: SocketLike;
  /** Calls without an answer. */
  readonly #pending = new Map<number, Settle>();
  readonly #settings: ConnectionSettings;
  readonly #listener: ConnectionListener;
  #phase: 'handshake' | 'open' | 'ended' = 'handshake';
  #watch: Cancel;
  #nextId = 1;
  /** Calls that failed in the last minute, and until when nothing is sent because of that. */
  #failures: Cancel[] = [];
  #rest: Cancel | undefined;

  constructor(entry: Entry, settings: ConnectionSettings, listener: ConnectionListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#socket = new settings.WebSocket(settings.endpoint.socket, [subprotocol, entry.offer, `wardwire.trace.${settings.trace}`]);
    this.#socket.onopen = () => {
      // A server that selects another subprotocol speaks another language (RFC 6455 §4.1).
      if (this.#socket.protocol !== subprotocol) this.drop('protocol', 4003);
      else if (entry !== byCookie) this.#begin(entry);
    };
    this.#socket.onmessage = (event: { data: unknown }) => this.#received(event.data);
    this.#socket.onclose = (event: { code: number; reason: string }) => {
      // The stable word that the reason begins with.
      this.#end(event.code, event.reason.replace(/[^a-z0-9-].*/s, ''));
    };
    // Node 22 tells of a handshake that failed by this alone; elsewhere a close event follows. npm `ws` throws without a listener.
    this.#socket.onerror = () => this.#phase === 'handshake' && this.#end(1006, '');
    this.#watch = this.#settings.clock.after(this.#settings.connectTimeoutMs, () => this.drop('slow-handshake'));
  }

  /**
   * Asks the server; `params` is JSON. Either `answered` or `failed` is called, once, and before anything is told that comes
   * behind the answer. Where `answered` throws, or nothing comes in time, the connection ends.
   */
  send(method: string, params: string, answered: (result: unknown) => unknown = Boolean, failed: (error: WardwireError) => unknown = Boolean): void {
    const id = this.#nextId++;
    const late = this.#settings.clock.after(this.#settings.requestTimeoutMs, () => this.drop('dead'));
    this.#pending.set(id, (error, result) => {
      late();
      try {
        if (error) failed(error);
        else answered(result);
      } catch {
        this.drop('malformed', 4002);
        failed(new ConnectionError('malformed-answer', { trace: this.#settings.trace }));
      }
      this.#listener.freed();
    });
    this.#socket.send(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`);
  }

  /** Whether a call can be sent now by whoever leaves it at `share` calls underway, whoever's they are. */
  hasRoom(share: number): boolean {
    return !this.#rest && this.#pending.size < Math.max(1, share - this.#failures.length);
  }

  /** Asks whether the server lives, unless a call asks that already; one that keeps silent is dead. */
  probe(): void {
    if (this.#pending.size === 0) this.send('ping', '{}');
  }

  /**
   * Sends nothing of what waits for so many milliseconds, or longer after failures; a minute at most, and up to as long again,
   * as not all clients may come back at one moment.
   */
  rest(ms: number): void {
    this.#rest?.();
    this.#rest = this.#settings.clock.after(Math.min(Math.max(ms, 2 ** (this.#failures.length - 16)), longestRestMs) * (1 + this.#settings.random()), () => {
      this.#rest = undefined;
      this.#listener.freed();
    });
  }

  /**
   * Ends the connection without waiting for the server, which may be gone. Of codes browsers let a page send 1000 and 3000
   * to 4999 only; without one it is 1006 to this side.
   */
  drop(word: LocalEnd, code?: number): void {
    if (this.#phase === 'ended') return;
    // Over before it closes, as Node 22 tells of an error while it is closed.
    this.#end(code ?? 1006, word);
    this.#socket.close(code, code ? word : undefined);
  }

  #begin({ handle }: Pick<Entry, 'handle'>): void {
    if (this.#phase !== 'handshake') return;
    this.#phase = 'open';
    this.#heard();
    this.#listener.opened(handle);
  }

  #received(data: unknown): void {
    if (this.#phase === 'ended') return;
    let frame: Frame;
    try {
      frame = readFrame(data);
      // Who came by a cookie is told whose it is before anything else.
      demand(frame.kind === 'welcome' || this.#phase === 'open');
    } catch {
      return this.drop('malformed', 4002);
    }
    if (frame.kind === 'welcome') return this.#begin(frame);
    this.#heard();
    if (frame.kind === 'result') return this.#settle(frame.id, null, frame.result);
    if (frame.kind !== 'error') return this.#listener.notified(frame);
    // A server closes a socket of which more than 32 calls fail in a minute. So the more have of late, the fewer go out at
    // once, down to one; after 16 there is a rest behind each, twice as long as the one before: after 24 a quarter of a
    // second, and with those that were underway the 33rd comes when the first is long forgotten.
    if (this.#failures.length < callsAtOnce) {
      const failures = this.#failures.push(this.#settings.clock.after(longestRestMs, () => this.#failures.shift()));
      if (failures > 16) this.rest(0);
    }
    this.#settle(frame.id, rpcError(frame, this.#settings.trace));
  }

  /** An answer to a call that is not waited for any more says nothing. */
  #settle(id: number, error: WardwireError | null, result?: unknown): void {
    const settle = this.#pending.get(id);
    this.#pending.delete(id);
    settle?.(error, result);
  }

  /** Starts the silence anew: after `pingEveryMs` of it the server is asked, and a server that keeps silent is dead. */
  #heard(): void {
    this.#watch();
    this.#watch = this.#settings.clock.after(this.#settings.pingEveryMs, () => this.probe());
  }

  #end(code: number, word: string): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    for (const timer of [this.#watch, this.#rest, ...this.#failures]) timer?.();
    this.#listener.ended(code, word);
    for (const id of this.#pending.keys()) this.#settle(id, new ConnectionError(word === 'dead' ? 'timeout' : code === 1009 ? 'message-too-large' : 'disconnected', { trace: this.#settings.trace }));
  }
}
