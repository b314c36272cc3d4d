/**
 * One socket from its handshake to its end: requests and their answers, notifications, and the watch for a dead server.
 *
 * It reconnects nothing and remembers nothing; whoever made it does.
 */

import { ConnectionError, rpcError, UsageError, type WardwireError } from './error.js';
import { type Frame, type Notification, readFrame } from './frames.js';
import type { Platform, SocketLike, Timer } from './platform.js';

/** How a connection ended: the close code and the first word of its reason. */
export interface End {
  readonly code: number;
  readonly word: string;
}

/** Close codes of this side. Browsers let a page send 1000 and 3000 to 4999 only. */
export const localEnds = {
  done: { code: 1000, word: 'done' },
  /** Of a page that goes to the browser's cache. */
  cached: { code: 1000, word: 'cached' },
  malformed: { code: 4002, word: 'malformed' },
  protocol: { code: 4003, word: 'protocol' },
  dead: { code: 1006, word: 'dead' },
  slowHandshake: { code: 1006, word: 'slow-handshake' },
} as const satisfies Record<string, End>;

/** Bounds in milliseconds, bytes and pieces. */
export interface ConnectionLimits {
  readonly handshakeMs: number;
  readonly requestMs: number;
  readonly pingEveryMs: number;
  readonly maxPending: number;
  readonly maxBufferedBytes: number;
}

/** Who is told. After `ended` nothing more comes. */
export interface ConnectionListener {
  opened(): void;
  notified(notification: Notification): void;
  ended(end: End): void;
}

/** A request without an answer. One that nobody waits for any more stays until its answer comes, so that order is kept. */
interface Pending {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: WardwireError) => void;
  readonly timer: Timer;
}

const subprotocol = 'wardwire.v1';

/** A frame of more UTF-16 units than this comes from no server that is well. */
const longestFrame = 16 * 1024 * 1024;

export class Connection {
  readonly #socket: SocketLike;
  readonly #pending = new Map<number, Pending>();
  readonly #platform: Platform;
  readonly #limits: ConnectionLimits;
  readonly #listener: ConnectionListener;
  readonly #trace: string;
  #phase: 'handshake' | 'open' | 'ended' = 'handshake';
  #watch: Timer;
  #nextId = 1;

  constructor(
    url: string,
    ticket: string,
    trace: string,
    platform: Platform,
    limits: ConnectionLimits,
    listener: ConnectionListener,
  ) {
    this.#platform = platform;
    this.#limits = limits;
    this.#listener = listener;
    this.#trace = trace;
    this.#socket = new platform.WebSocket(url, [subprotocol, `wardwire.ticket.${ticket}`, `wardwire.trace.${trace}`]);
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event: { data: unknown }) => this.#received(event.data);
    this.#socket.onclose = (event: { code: number; reason: string }) => {
      this.#end({ code: event.code, word: firstWord(String(event.reason)) });
    };
    // A browser tells nothing here, and a close event follows. npm `ws` throws without a listener.
    this.#socket.onerror = () => undefined;
    this.#watch = platform.clock.after(limits.handshakeMs, () => this.drop(localEnds.slowHandshake));
  }

  /**
   * Asks the server; `params` is JSON. Rejects with a {@link WardwireError}; every request of a connection that ends is
   * rejected.
   */
  request(method: string, params: string): Promise<unknown> {
    if (this.#phase !== 'open') return Promise.reject(this.#failure('disconnected', 'There is no open connection.'));
    if (this.#pending.size >= this.#limits.maxPending || this.#socket.bufferedAmount > this.#limits.maxBufferedBytes) {
      return Promise.reject(new UsageError({ code: 'queue-full', title: 'Too much waits to be sent or answered.', trace: this.#trace }));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = this.#platform.clock.after(this.#limits.requestMs, () => {
        reject(this.#failure('timeout', 'The server did not answer in time.'));
      });
      this.#pending.set(id, { method, resolve, reject, timer });
      this.#socket.send(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`);
    });
  }

  /** Asks whether the server lives; one that keeps silent is dead. */
  probe(): void {
    this.request('ping', '{}').catch((error: WardwireError) => {
      if (error.code === 'timeout' || error.code === 'queue-full') this.drop(localEnds.dead);
    });
  }

  /** Ends the connection without waiting for the server, which may be gone. */
  drop(end: End): void {
    if (this.#phase === 'ended') return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    if (end.code === 1000 || end.code >= 3000) this.#socket.close(end.code, end.word);
    else this.#socket.close();
    this.#end(end);
  }

  #opened(): void {
    // A server that selects another subprotocol speaks another language (RFC 6455 §4.1).
    if (this.#socket.protocol !== subprotocol) return this.drop(localEnds.protocol);
    this.#phase = 'open';
    this.#heard();
    this.#listener.opened();
  }

  #received(data: unknown): void {
    if (this.#phase !== 'open') return;
    if (typeof data === 'string' && data.length > longestFrame) return this.drop(localEnds.malformed);
    const frame = readFrame(data);
    if (frame === null) return this.drop(localEnds.malformed);
    this.#heard();
    if (frame.kind === 'result' || frame.kind === 'error') this.#answered(frame);
    else this.#listener.notified(frame);
  }

  #answered(frame: Extract<Frame, { kind: 'result' | 'error' }>): void {
    const id = frame.id ?? this.#oldest();
    const pending = id === null ? undefined : this.#pending.get(id);
    if (id === null || pending === undefined) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    if (frame.kind === 'result') pending.resolve(frame.result);
    else pending.reject(rpcError(frame.code, frame.message, frame.data, this.#trace));
  }

  /**
   * The request that an answer without an id belongs to. The server reads and answers in order, all but `refresh`, for
   * which it may have to ask the issuer's keys; so it is the oldest other one.
   */
  #oldest(): number | null {
    for (const [id, { method }] of this.#pending) if (method !== 'refresh') return id;
    return null;
  }

  /** Starts the silence anew: after `pingEveryMs` of it the server is asked, and a server that keeps silent is dead. */
  #heard(): void {
    this.#watch.cancel();
    this.#watch = this.#platform.clock.after(this.#limits.pingEveryMs, () => this.probe());
  }

  #end(end: End): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#watch.cancel();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject, timer } of pending) {
      timer.cancel();
      reject(this.#failure('disconnected', 'The connection ended before the answer came.'));
    }
    this.#listener.ended(end);
  }

  #failure(code: string, title: string): ConnectionError {
    return new ConnectionError({ code, title, trace: this.#trace });
  }
}

/** The stable word that a reason begins with. */
function firstWord(reason: string): string {
  return /^[a-z0-9-]*/.exec(reason)?.[0] ?? '';
}
