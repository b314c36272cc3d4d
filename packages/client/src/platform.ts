/** What the client needs from where it runs. Everything can be given, so that Node and tests bring their own. */

import { demandFit } from './error.js';
import { isCount } from './frames.js';
import { mostMs } from './limits.js';

/** The part of the browser's `WebSocket` that is used; npm `ws` has it too. */
export interface SocketLike {
  readonly protocol: string;
  readonly bufferedAmount: number;
  // The handlers of browsers and of npm `ws` take different event classes; `any` is what both accept.
  /* eslint-disable @typescript-eslint/no-explicit-any */
  /** The handshake is done. */
  onopen: ((event: any) => void) | null;
  /** A message came: `data` is its text. */
  onmessage: ((event: any) => void) | null;
  /** It is over: `code` and `reason` say how. */
  onclose: ((event: any) => void) | null;
  /** It failed; where it never was open, nothing else may follow. */
  onerror: ((event: any) => void) | null;
  /* eslint-enable @typescript-eslint/no-explicit-any */
  /** Sends a text message. */
  send(data: string): void;
  /** Closes, with a code and a reason of at most 123 bytes. */
  close(code?: number, reason?: string): void;
}

/** A constructor like the browser's `WebSocket`. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** Time, as the client sees it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once, after `ms`. */
  after(ms: number, action: () => void): Cancel;
}

/** Calls a timer off; doing so twice is harmless. */
export type Cancel = () => void;

/** What a page is told of its surroundings, by the browser's own names. */
export type Surrounding =
  /** The network is there again. */
  | 'online'
  | 'offline'
  /** The page goes into the browser's page cache, where an open socket would keep it from. */
  | 'pagehide'
  /** The page came back out of it. */
  | 'pageshow'
  /** The page was frozen, as while the machine slept, and is back: what was open may be dead. */
  | 'resume'
  /** The page was hidden, and is back. */
  | 'visibilitychange';

/** Where the client runs. */
export interface Platform {
  readonly WebSocket: SocketConstructor;
  /** For tickets. */
  readonly fetch: typeof fetch;
  /** Uniform in [0, 1). Spreads reconnects; never a secret. */
  readonly random: () => number;
  readonly clock: Clock;
  /** Tells what happens around a page, until what it returned is called. Outside of pages nothing does. */
  readonly surroundings: (listener: (event: Surrounding) => void) => () => void;
}

const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const handle = setTimeout(action, ms);
    return () => clearTimeout(handle);
  },
};

/** The platform at hand, with whatever was given in its place. */
export function platformWith(given: Partial<Platform> | undefined): Platform {
  const { WebSocket, fetch } = globalThis as unknown as Platform;
  const platform = withDefaults<Platform>(given, {
    WebSocket,
    fetch,
    random: Math.random,
    clock: systemClock,
    surroundings: pageSurroundings,
  });
  demandFit('platform.WebSocket', typeof platform.WebSocket === 'function');
  return platform;
}

/**
 * What was given; where nothing or `undefined` was, the default.
 *
 * @throws UsageError for a name that has no default, not even `undefined`; for what is of another type than the default; and for
 * a number that is none for a timer.
 */
export function withDefaults<T extends object>(given: Partial<T> | undefined, defaults: { readonly [Name in keyof T]: T[Name] | undefined }): T {
  const all: Record<string, unknown> = { __proto__: null, ...defaults };
  for (const [name, value] of Object.entries(given ?? {})) {
    demandFit(name, name in all);
    if (value === undefined) continue;
    const type = typeof all[name];
    demandFit(name, value !== null && (type === 'number' ? isCount(value) && value <= mostMs : type === 'undefined' || type === typeof value));
    all[name] = value;
  }
  return all as T;
}

/** The browser's own events (HTML §8.1.7.2 and §7.4.6; Page Lifecycle). Workers have the first two only. */
function pageSurroundings(listener: (event: Surrounding) => void): () => void {
  const scope = globalThis as Partial<Pick<typeof globalThis, 'addEventListener' | 'document'>>;
  const handler = ({ type, persisted }: Partial<PageTransitionEvent>): void => {
    // A page that is unloaded, or loaded, is not on its way to the cache, or from there.
    if (persisted !== false && !(type === 'visibilitychange' && scope.document?.hidden)) listener(type as Surrounding);
  };
  const heard = new AbortController();
  // Some are told the document, and are seen on their way down.
  for (const name of ['online', 'offline', 'pagehide', 'pageshow', 'resume', 'visibilitychange'] satisfies Surrounding[]) scope.addEventListener?.(name, handler, { capture: true, signal: heard.signal });
  return () => heard.abort();
}

/** A correlation id of our own, 16 random bytes within the server's `[A-Za-z0-9_-]{8,64}`. */
export function newTrace(): string {
  // Not by `randomUUID`, which pages over plain http have not: the server shall tell them that they may not come.
  return crypto.getRandomValues(new BigUint64Array(2)).join('-');
}
