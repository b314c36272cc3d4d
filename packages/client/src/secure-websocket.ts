/**
 * `SecureWebSocket`: the platform's `WebSocket` (WHATWG WebSockets §3), with a ticket fetched before it opens.
 *
 * It reconnects nothing and speaks no protocol of ours, as the original. What differs: the address may hold no query,
 * and why a handshake was refused can be read from `refusal`. Where it is closed while the ticket is on its way the request
 * is called off; a ticket that was given all the same is shown to nobody, and ends by itself within half a minute.
 */

import { type Abortable, whenAborted } from './emitter.js';
import { ConnectionError, inOurWords, type WardwireError } from './error.js';
import { newTrace, type Platform, platformWith, type SocketLike, withDefaults } from './platform.js';
import { type Ask, type Auth, byCookie, demandAuth, type Endpoint, type Entry, fetchTicket, readEndpoint, session } from './ticket.js';

export interface SecureWebSocketOptions extends Abortable {
  /** Default: {@link session}. */
  readonly auth?: Auth;
  /** The route that the ticket is for; default: the path of the address. */
  readonly route?: string;
  /** Time for the ticket. Default 15 s. */
  readonly connectTimeoutMs?: number;
  readonly platform?: Partial<Platform>;
}

type Given = Required<SecureWebSocketOptions>;

/** The part of a `WebSocket` that is handed through. */
interface RawSocket extends Omit<SocketLike, 'send'> {
  readonly extensions: string;
  readonly readyState: number;
  binaryType: string;
  send(data: unknown): void;
}

/** An event handler and what listens in its place. */
interface Slot {
  handler: unknown;
  readonly listener: (event: Event) => void;
}

/** The `CloseEvent` of WebSockets (WHATWG WebSockets §6), for which Node's types have no name. */
export interface SocketCloseEvent extends Event {
  /** 1000, 3000 to 4999 as either side chose, or one of RFC 6455 §7.4.1; 1006 where the connection failed. */
  readonly code: number;
  readonly reason: string;
  /** Both sides said that it closes. */
  readonly wasClean: boolean;
}

/** What a {@link SecureWebSocket} tells, by name. */
export interface SecureWebSocketEvents {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: SocketCloseEvent;
}

// As the types at hand have it, the DOM's or Node's.
type Listener = Parameters<EventTarget['addEventListener']>[1];
type ListenerOptions = Parameters<EventTarget['addEventListener']>[2];
type ListenerOf<Name extends keyof SecureWebSocketEvents> = (this: SecureWebSocket, event: SecureWebSocketEvents[Name]) => unknown;

/** A handler as it is read: without `this`, which a `WebSocket` has another of. */
type Handler<Named extends Event> = ((event: Named) => unknown) | null;

/** Offered in place of an application's own protocol, as a browser needs one to be selected. */
const raw = 'wardwire.raw';

/** RFC 9110 §5.6.2, which RFC 6455 §4.1 asks of a subprotocol. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * The platform's `WebSocket` with a ticket before it opens: the same interface, events and exceptions (WHATWG WebSockets §3.1), but that
 * its address holds no query and {@link SecureWebSocket.refusal} tells why it was refused.
 */
export class SecureWebSocket extends EventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  readonly #url: string;
  readonly #protocols: readonly string[];
  readonly #abort = new AbortController();
  readonly #handlers = new Map<string, Slot>();
  readonly #stopWatching: () => void;
  #inner: RawSocket | null = null;
  #readyState: 0 | 1 | 2 | 3 = 0;
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  #protocol = '';
  #unsent = 0;
  /** Whether `close` was told. */
  #over = false;
  #refusal: WardwireError | null = null;

  /**
   * @throws DOMException `SyntaxError` for an address that is not fit, protocols that are doubled or no token, and those
   * that begin with `wardwire.`. UsageError for options that are not as documented.
   */
  constructor(url: string | URL, protocols: string | Iterable<string> = [], options: SecureWebSocketOptions = {}) {
    super();
    const { auth, route, connectTimeoutMs, signal, platform: given } = withDefaults<Given>(options, {
      auth: session(),
      route: '',
      connectTimeoutMs: 15_000,
      signal: undefined,
      platform: {},
    });
    if (arguments.length === 0) throw new TypeError('An address is needed.');
    const address = `${url}`;
    this.#protocols = readProtocols(protocols);
    const endpoint = endpointOf(address, route);
    this.#url = endpoint.socket;
    if (new Set(this.#protocols).size !== this.#protocols.length || this.#protocols.some((name) => !token.test(name) || /^wardwire\./i.test(name))) {
      throw new DOMException('The protocols are doubled, no tokens, or of Wardwire itself.', 'SyntaxError');
    }
    demandAuth(auth);
    const platform = platformWith(given);
    this.#stopWatching = whenAborted(signal, () => queueMicrotask(() => this.close()));
    void this.#connect({ ...platform, endpoint, auth, connectTimeoutMs, trace: newTrace(), abort: this.#abort });
  }

  get url(): string {
    return this.#url;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    // It closes also where the server began, and is open to this side until that is told.
    return this.#readyState === 1 && this.#inner?.readyState === 2 ? 2 : this.#readyState;
  }

  /** What the server selected of the application's protocols; empty where none was asked for. */
  get protocol(): string {
    return this.#protocol;
  }

  get extensions(): string {
    return this.#inner?.extensions ?? '';
  }

  get bufferedAmount(): number {
    return (this.#inner?.bufferedAmount ?? 0) + this.#unsent;
  }

  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType;
  }

  set binaryType(given: 'blob' | 'arraybuffer') {
    const type = `${given}` as const;
    // What is no value of the enumeration is passed over (Web IDL §3.2.18).
    if (type !== 'blob' && type !== 'arraybuffer') return;
    this.#binaryType = type;
    if (this.#inner !== null) this.#inner.binaryType = type;
  }

  /** Why it was refused, which the original cannot tell; `null` where it was not. */
  get refusal(): WardwireError | null {
    return this.#refusal;
  }

  get onopen(): Handler<Event> {
    return this.#handler('open');
  }
  set onopen(handler: ListenerOf<'open'> | null) {
    this.#handle('open', handler);
  }
  get onmessage(): Handler<MessageEvent> {
    return this.#handler('message');
  }
  set onmessage(handler: ListenerOf<'message'> | null) {
    this.#handle('message', handler);
  }
  get onerror(): Handler<Event> {
    return this.#handler('error');
  }
  set onerror(handler: ListenerOf<'error'> | null) {
    this.#handle('error', handler);
  }
  get onclose(): Handler<SocketCloseEvent> {
    return this.#handler('close');
  }
  set onclose(handler: ListenerOf<'close'> | null) {
    this.#handle('close', handler);
  }

  /** @throws DOMException `InvalidStateError` before it is open. Once it closes, what is sent is only counted, as in the original. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    const state = this.#readyState;
    if (arguments.length === 0) throw new TypeError('There is nothing to send.');
    const bytes = state === 1 ? 0 : sizeOf(data);
    if (state === 0) throw new DOMException('Still in CONNECTING state.', 'InvalidStateError');
    if (state === 1) this.#inner?.send(data);
    else this.#unsent += bytes;
  }

  /** @throws DOMException `InvalidAccessError` for any code but 1000 and 3000 to 4999, `SyntaxError` for a reason over 123 bytes. */
  close(...[given, because]: [code?: number, reason?: string]): void {
    // Web IDL converts all arguments before anything is judged. Its `[Clamp]` would round the code; Chromium cuts it off.
    const code = given === undefined ? undefined : Math.trunc(+given) || 0;
    const reason = because === undefined ? undefined : `${because}`;
    if ((code ?? reason) !== undefined && code !== 1000 && !(code !== undefined && code >= 3000 && code <= 4999)) {
      throw new DOMException('The code must be 1000, or between 3000 and 4999.', 'InvalidAccessError');
    }
    if (reason !== undefined && sizeOf(reason) > 123) throw new DOMException('The reason is longer than 123 bytes.', 'SyntaxError');
    if (this.#readyState >= 2) return;
    const connecting = this.#readyState === 0;
    this.#readyState = 2;
    if (connecting) return this.#fail();
    if (code === undefined) this.#inner?.close();
    else this.#inner?.close(code, reason);
  }

  async #connect(ask: Ask): Promise<void> {
    const { trace } = ask;
    // Whoever closes it at once has asked for no ticket.
    await undefined;
    if (this.#readyState !== 0) return;
    const open = ({ offer }: Entry, failed: () => void): void => this.#open(ask, [...this.#protocols, raw, offer, `wardwire.trace.${trace}`], failed);
    try {
      await inOurWords('unreachable', trace, async () => {
        // A cookie alone is enough, but only the request for a ticket learns why it was not.
        if (ask.auth.ambient) await new Promise<void>((failed) => open(byCookie, failed));
        if (this.#readyState !== 0) return;
        const entry = await fetchTicket(ask);
        if (this.#readyState === 0) open(entry, () => this.#fail());
      });
    } catch (cause) {
      if (this.#readyState !== 0) return;
      this.#refusal = cause as WardwireError;
      this.#fail();
    }
  }

  #open(platform: Platform, offers: string[], failed: () => void): void {
    const inner = new platform.WebSocket(this.#url, offers) as unknown as RawSocket;
    this.#inner = inner;
    inner.binaryType = this.#binaryType;
    inner.onopen = () => this.#opened(inner);
    inner.onmessage = ({ data }: { data: unknown }) => {
      if (this.#readyState === 1) this.dispatchEvent(new MessageEvent('message', { data, origin: new URL(this.#url).origin }));
    };
    // Node 22 tells of a handshake that failed by this alone.
    inner.onerror = () => {
      if (this.#readyState !== 0) return this.#failed();
      inner.onclose = null;
      failed();
    };
    inner.onclose = ({ code, reason, wasClean }: { code: number; reason: string; wasClean: boolean }) => this.#ended(code, String(reason), wasClean);
  }

  #opened(inner: RawSocket): void {
    if (this.#readyState !== 0) return;
    const asked = this.#protocols.length > 0;
    // As the original: who offers protocols gets one of them, or no connection.
    if (asked ? !this.#protocols.includes(inner.protocol) : inner.protocol !== raw && inner.protocol !== '') {
      const title = asked ? 'The server selected none of the protocols.' : 'The server selected what was not offered.';
      this.#refusal = new ConnectionError('malformed-answer', { title });
      return this.#fail();
    }
    this.#protocol = asked ? inner.protocol : '';
    this.#readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  /** Fails the connection: nothing of it is heard any more but one error and one close, each in a task of its own. */
  #fail(): void {
    this.#readyState = 2;
    this.#abort.abort();
    const inner = this.#inner;
    if (inner !== null) {
      inner.onopen = inner.onmessage = inner.onclose = null;
      inner.onerror = () => undefined;
      inner.close();
    }
    setTimeout(() => {
      setTimeout(() => this.#ended(1006, '', false));
      this.#failed();
    });
  }

  /** An error is the first that is told of a connection that failed; it is closed by then, and `close` comes next. */
  #failed(): void {
    if (this.#readyState === 3) return;
    this.#readyState = 3;
    this.dispatchEvent(new Event('error'));
  }

  #ended(code: number, reason: string, wasClean: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#readyState = 3;
    this.#stopWatching();
    this.dispatchEvent(closeEvent(code, reason, wasClean));
  }

  #handler<Named extends Event>(name: string): Handler<Named> {
    return (this.#handlers.get(name)?.handler ?? null) as Handler<Named>;
  }

  /** An event handler has a place among the listeners for as long as it is not `null` (HTML §8.1.8.1). */
  #handle(name: string, given: unknown): void {
    const handler = typeof given === 'function' || typeof given === 'object' ? given : null;
    const slot = this.#handlers.get(name);
    if (slot !== undefined && handler !== null) return void (slot.handler = handler);
    if (slot !== undefined) {
      this.removeEventListener(name, slot.listener);
      this.#handlers.delete(name);
    } else if (handler !== null) {
      const made: Slot = { handler, listener: (event) => typeof made.handler === 'function' && made.handler.call(this, event) };
      this.#handlers.set(name, made);
      this.addEventListener(name, made.listener);
    }
  }
}

/** The methods of `EventTarget`, which know its own events by their names. */
export interface SecureWebSocket {
  /** Listens to one of its events. */
  addEventListener<Name extends keyof SecureWebSocketEvents>(type: Name, listener: ListenerOf<Name>, options?: ListenerOptions): void;
  /** Listens to an event of another name, or by an object. */
  addEventListener(type: string, listener: Listener, options?: ListenerOptions): void;
  /** Takes a listener back. */
  removeEventListener<Name extends keyof SecureWebSocketEvents>(type: Name, listener: ListenerOf<Name>, options?: ListenerOptions): void;
  /** Takes back what listens to an event of another name, or an object. */
  removeEventListener(type: string, listener: Listener, options?: ListenerOptions): void;
}

// What Web IDL makes of an interface: constants that stay, on the class and on the prototype, and members that a loop finds.
for (const [value, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
  for (const holder of [SecureWebSocket, SecureWebSocket.prototype]) Object.defineProperty(holder, name, { value, enumerable: true });
}
Object.defineProperty(SecureWebSocket.prototype, Symbol.toStringTag, { value: 'SecureWebSocket', configurable: true });
for (const name of Object.getOwnPropertyNames(SecureWebSocket.prototype)) {
  if (name !== 'constructor') Object.defineProperty(SecureWebSocket.prototype, name, { enumerable: true });
}

/** As Web IDL reads a string or a sequence of strings: what can be iterated over is a sequence, all else text. */
function readProtocols(given: unknown): readonly string[] {
  const many = given !== null && typeof given === 'object' && (given as Partial<Iterable<unknown>>)[Symbol.iterator] != null;
  return many ? Array.from(given as Iterable<unknown>, (name) => `${name as string}`) : [`${given as string}`];
}

function endpointOf(url: string, route: string): Endpoint {
  try {
    return readEndpoint(url, route);
  } catch (cause) {
    throw new DOMException(cause instanceof Error ? cause.message : 'Not an address.', 'SyntaxError');
  }
}

/** Node has no `CloseEvent` before version 23. */
function closeEvent(code: number, reason: string, wasClean: boolean): Event {
  const { CloseEvent } = globalThis as { CloseEvent?: typeof globalThis.CloseEvent };
  if (CloseEvent !== undefined) return new CloseEvent('close', { code, reason, wasClean });
  return Object.defineProperties(new Event('close'), { code: { value: code }, reason: { value: reason }, wasClean: { value: wasClean } });
}

/** What is neither bytes nor a blob is sent as text, as in the original. */
function sizeOf(data: unknown): number {
  if (data instanceof Blob) return data.size;
  const buffer: unknown = ArrayBuffer.isView(data) ? data.buffer : data;
  const kind = Object.prototype.toString.call(buffer);
  if (kind === '[object SharedArrayBuffer]' || (buffer as { resizable?: unknown } | null)?.resizable === true) {
    throw new TypeError('Memory that is shared or can grow is not sent.');
  }
  if (kind === '[object ArrayBuffer]') return (data as ArrayBufferLike | ArrayBufferView).byteLength;
  return new TextEncoder().encode(`${data as string}`).length;
}
