/**
 * One socket from its handshake to its end: requests and their answers, notifications, and the watch for a dead server.
 *
 * It reconnects nothing and remembers nothing; whoever made it does.
 */

import { ConnectionError, type LocalCode, rpcError, type WardwireError } from './error.js';
import { type Frame, type Notification, readFrame } from './frames.js';
import type { Platform, SocketLike, Timer } from './platform.js';
import { byCookie, type Endpoint, type Entry } from './ticket.js';

/** How a connection ended: the close code and the first word of its reason. */
export interface End {
  readonly code: number;
  readonly word: string;
}

/** How this side ends a connection, with the close codes. Browsers let a page send 1000 and 3000 to 4999 only. */
const localEnds = {
  done: 1000,
  /** Of a page that goes to the browser's cache. */
  cached: 1000,
  malformed: 4002,
  protocol: 4003,
  dead: 1006,
  'slow-handshake': 1006,
} as const;

export type LocalEnd = keyof typeof localEnds;

/** Where to, with what, and bounds in milliseconds and pieces. */
export interface ConnectionSettings {
  readonly endpoint: Endpoint;
  readonly platform: Platform;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pingEveryMs: number;
  readonly maxPending: number;
}

/** Who is told. After `ended` nothing more comes. */
export interface ConnectionListener {
  /** With whose it is. */
  opened(handle: Entry['handle']): void;
  /** A call was answered or given up: there may be room for another. */
  freed(): unknown;
  notified(notification: Notification): void;
  ended(end: End): unknown;
}

/** A request without an answer. */
interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: WardwireError) => void;
  readonly timer: Timer;
}

/** The server lets so many calls of a socket wait at once. */
export const callsAtOnce = 32;

/** What comes by itself, channels and publications, leaves room for what the application asks. */
export const queuedAtOnce = 24;

const subprotocol = 'wardwire.v1';

/** More that the platform has not sent yet is a peer that does not read. */
const maxBufferedBytes = 4 * 1024 * 1024;

export class Connection {
  readonly #socket: SocketLike;
  readonly #pending = new Map<number, Pending>();
  readonly #settings: ConnectionSettings;
  readonly #listener: ConnectionListener;
  readonly #trace: string;
  #phase: 'handshake' | 'open' | 'ended' = 'handshake';
  #watch: Timer;
  #nextId = 1;
  #underway = 0;

  constructor(entry: Entry, trace: string, settings: ConnectionSettings, listener: ConnectionListener) {
    const { endpoint, platform, connectTimeoutMs } = settings;
    this.#settings = settings;
    this.#listener = listener;
    this.#trace = trace;
    this.#socket = new platform.WebSocket(endpoint.socket, [subprotocol, entry.offer, `wardwire.trace.${trace}`]);
    this.#socket.onopen = () => this.#opened(entry);
    this.#socket.onmessage = (event: { data: unknown }) => this.#received(event.data);
    this.#socket.onclose = (event: { code: number; reason: string }) => {
      // The stable word that the reason begins with.
      this.#end({ code: event.code, word: String(event.reason).replace(/[^a-z0-9-].*/s, '') });
    };
    // Node 22 tells of a handshake that failed by this alone; elsewhere a close event follows. npm `ws` throws without a listener.
    this.#socket.onerror = () => this.#phase === 'handshake' && this.#end({ code: 1006, word: '' });
    this.#watch = platform.clock.after(connectTimeoutMs, () => this.drop('slow-handshake'));
  }

  /**
   * Asks the server; `params` is JSON. Rejects with a {@link WardwireError}; every request of a connection that ends is
   * rejected. Where `read` throws, the connection ends.
   */
  async request<T>(method: string, params: string, read: (result: unknown) => T): Promise<T> {
    if (this.#phase !== 'open') throw this.#failure('disconnected');
    const id = this.#nextId++;
    this.#underway += 1;
    try {
      return await new Promise<T>((resolve, reject) => {
        const timer = this.#after(this.#settings.requestTimeoutMs, () => reject(this.#failure('timeout')));
        const answered = (result: unknown): void => {
          try {
            resolve(read(result));
          } catch {
            reject(this.#failure('malformed-answer'));
            this.drop('malformed');
          }
        };
        this.#pending.set(id, { resolve: answered, reject, timer });
        this.#socket.send(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`);
      });
    } finally {
      this.#underway -= 1;
      this.#listener.freed();
    }
  }

  /** Whether a call can be sent now by whoever leaves it at `share` calls underway, whoever's they are. */
  hasRoom(share: number): boolean {
    return this.#underway < share && this.#pending.size < this.#settings.maxPending && this.#socket.bufferedAmount <= maxBufferedBytes;
  }

  /** Asks whether the server lives; one that keeps silent, or takes nothing any more, is dead. */
  probe(): void {
    if (!this.hasRoom(Infinity)) return this.drop('dead');
    this.request('ping', '{}', Boolean).catch((error: WardwireError) => {
      if (error.code === 'timeout') this.drop('dead');
    });
  }

  /** Ends the connection without waiting for the server, which may be gone. */
  drop(word: LocalEnd): void {
    if (this.#phase === 'ended') return;
    const code = localEnds[word];
    // Over before it closes, as Node 22 tells of an error while it is closed.
    this.#end({ code, word });
    if (code === 1006) this.#socket.close();
    else this.#socket.close(code, word);
  }

  #opened(entry: Entry): void {
    // A server that selects another subprotocol speaks another language (RFC 6455 §4.1).
    if (this.#socket.protocol !== subprotocol) return this.drop('protocol');
    if (entry !== byCookie) this.#begin(entry);
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
    } catch {
      return this.drop('malformed');
    }
    if (frame.kind === 'welcome') return this.#begin(frame);
    // Who came by a cookie is told whose it is before anything else.
    if (this.#phase === 'handshake') return this.drop('malformed');
    this.#heard();
    if (frame.kind === 'result' || frame.kind === 'error') this.#answered(frame);
    else this.#listener.notified(frame);
  }

  /** An answer to a request that is not waited for any more says nothing. */
  #answered(frame: Extract<Frame, { kind: 'result' | 'error' }>): void {
    const pending = this.#take(frame.id);
    if (frame.kind === 'error') pending?.reject(rpcError(frame.code, frame.message, frame.data, this.#trace));
    else pending?.resolve(frame.result);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    pending?.timer.cancel();
    this.#pending.delete(id);
    return pending;
  }

  /** Starts the silence anew: after `pingEveryMs` of it the server is asked, and a server that keeps silent is dead. */
  #heard(): void {
    this.#watch.cancel();
    this.#watch = this.#after(this.#settings.pingEveryMs, () => this.probe());
  }

  #end(end: End): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#watch.cancel();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of pending) {
      timer.cancel();
      reject(this.#failure('disconnected'));
    }
    this.#listener.ended(end);
  }

  #after(ms: number, action: () => void): Timer {
    return this.#settings.platform.clock.after(ms, action);
  }

  #failure(code: LocalCode): ConnectionError {
    return new ConnectionError(code, { trace: this.#trace });
  }
}
