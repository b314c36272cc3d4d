/** What the client needs from where it runs. Everything can be given, so that Node and tests bring their own. */

/** The part of the browser's `WebSocket` that is used; npm `ws` has it too. */
export interface SocketLike {
  readonly protocol: string;
  readonly bufferedAmount: number;
  // The handlers of browsers and of npm `ws` take different event classes; `any` is what both accept.
  /* eslint-disable @typescript-eslint/no-explicit-any */
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  /* eslint-enable @typescript-eslint/no-explicit-any */
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** A constructor like the browser's `WebSocket`. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** Time, as the client sees it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once, after `ms`. */
  after(ms: number, action: () => void): Timer;
}

/** A timer that can be called off; doing so twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** Where the client runs. */
export interface Platform {
  readonly WebSocket: SocketConstructor;
  readonly fetch: typeof fetch;
  /** Uniform in [0, 1). Spreads reconnects; never a secret. */
  readonly random: () => number;
  readonly clock: Clock;
}

const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const handle = setTimeout(action, ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The platform at hand, with whatever was given in its place. */
export function platformWith(given: Partial<Platform>): Platform {
  const WebSocket = given.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
  if (WebSocket === undefined) {
    throw new TypeError('This Node has no WebSocket: pass one, for example `platform: { WebSocket }` from npm "ws".');
  }
  return {
    WebSocket,
    fetch: given.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    random: given.random ?? Math.random,
    clock: given.clock ?? systemClock,
  };
}

/** A correlation id of our own: 16 random bytes as base64url, within the server's `[A-Za-z0-9_-]{8,64}`. */
export function newTrace(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
