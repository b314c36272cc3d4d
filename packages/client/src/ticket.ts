/**
 * Tickets: the one-time proof that a socket is opened with.
 *
 * A browser cannot learn why a WebSocket handshake failed, so the question is asked by `fetch` first: the answer is a
 * ticket for one attempt, or the true reason of the refusal. A credential never stands in a URL.
 */

import { readRetryAfter } from './backoff.js';
import { whenAborted } from './emitter.js';
import { ConnectionError, RefusedError, WardwireError } from './error.js';
import type { Platform } from './platform.js';
import { asRecord, type Fields, isWord } from './frames.js';

/** How this application proves who its user is: {@link session}, {@link bearer} or {@link tickets}. */
export type Auth =
  | { readonly kind: 'session' }
  | { readonly kind: 'bearer'; readonly token: () => string | Promise<string> }
  | { readonly kind: 'tickets'; readonly ticket: () => Given | Promise<Given>; readonly signOut: () => void | Promise<void> };

/** A ticket, or the whole answer of the ticket endpoint: with its `handle` the client notices when somebody else is signed in. */
type Given = string | { readonly ticket: string; readonly handle?: string | null };

/** The `__Host-wardwire` session cookie, from a page of the same site. */
export function session(): Auth {
  return { kind: 'session' };
}

/** An access token. `token` is asked before every attempt and when the current one expires, so return a fresh one. */
export function bearer(token: () => string | Promise<string>): Auth {
  return { kind: 'bearer', token };
}

/**
 * Tickets that the application's own backend fetches; `ticket` is asked before every attempt. Throw a
 * {@link WardwireError} with a status to tell a refusal (401: signed out) from a failure worth trying again. `signOut`
 * ends the session there.
 */
export function tickets(ticket: () => Given | Promise<Given>, signOut: () => void | Promise<void> = () => undefined): Auth {
  return { kind: 'tickets', ticket, signOut };
}

/** The server, as this client addresses it. */
export interface Endpoint {
  /** `wss://host/live` */
  readonly socket: string;
  /** `https://host` */
  readonly origin: string;
  /** `/live` */
  readonly route: string;
}

/**
 * Reads the server's address.
 *
 * @throws TypeError for anything but `https:`, `wss:` (plain only on this machine), or a URL with a query, a fragment
 * or a user: those are where credentials leak from.
 */
export function readEndpoint(url: string | URL, route?: string): Endpoint {
  // The origin alone: nothing else of the page's own address may decide where a credential goes.
  const base = (globalThis as { location?: { origin: string } }).location?.origin;
  const parsed = new URL(url, base);
  const plain = parsed.protocol === 'ws:' || parsed.protocol === 'http:';
  if (!(plain ? ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname) : /^(wss|https):$/.test(parsed.protocol))) {
    throw new TypeError('The URL must be wss: or https:; plain only on this machine.');
  }
  // Also those that are empty, and that the parts of a URL do not show.
  if (/[?#]/.test(parsed.href) || parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('No query, fragment, user or password in the URL: they end up in logs.');
  }
  return {
    socket: `${plain ? 'ws' : 'wss'}://${parsed.host}${parsed.pathname}`,
    origin: `${plain ? 'http' : 'https'}://${parsed.host}`,
    route: route ?? parsed.pathname,
  };
}

/** One request to the gate. */
export interface Ask {
  readonly endpoint: Endpoint;
  readonly auth: Auth;
  readonly trace: string;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly platform: Platform;
}

/** What one attempt begins with. */
export interface Entry {
  readonly ticket: string;
  /** Whose it is, as the server knows them; `null` for nobody in particular, `undefined` where it was not said. */
  readonly handle: string | null | undefined;
}

/** Fetches a ticket for one attempt. Rejects with a {@link WardwireError}. */
export function fetchTicket(ask: Ask): Promise<Entry> {
  return within(ask, async (signal) => {
    if (ask.auth.kind === 'tickets') {
      const given = await inOurWords(ask.auth.ticket, ask.trace);
      return checked(typeof given === 'string' ? { ticket: given } : asRecord(given), ask.trace);
    }
    const response = await request(ask, signal, 'POST', '/.wardwire/tickets', { route: ask.endpoint.route });
    return checked(asRecord(await response.json().catch(() => null)), ask.trace);
  });
}

/** Ends the session at the server. Rejects with a {@link WardwireError} where that could not be done. */
export async function endSession(ask: Ask): Promise<void> {
  const { auth } = ask;
  await within(ask, async (signal) => {
    if (auth.kind === 'tickets') await inOurWords(auth.signOut, ask.trace);
    else await request(ask, signal, 'DELETE', '/.wardwire/session', null);
  });
}

async function request(
  { endpoint, auth, trace, platform }: Ask,
  signal: AbortSignal,
  method: string,
  path: string,
  body: object | null,
): Promise<Response> {
  const headers: Record<string, string> = { 'wardwire-trace': trace };
  if (body !== null) headers['content-type'] = 'application/json';
  if (auth.kind === 'bearer') {
    headers['authorization'] = `Bearer ${await inOurWords(auth.token, trace)}`;
  }
  let response: Response;
  try {
    response = await platform.fetch(endpoint.origin + path, {
      method,
      headers,
      body: body === null ? null : JSON.stringify(body),
      // A cookie beside a bearer token would be a second credential, which the gate refuses.
      credentials: auth.kind === 'session' ? 'include' : 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal,
    });
  } catch (cause) {
    throw new ConnectionError('unreachable', { trace: trace, cause });
  }
  if (!response.ok) throw await refusal(response, trace, platform.clock.now());
  return response;
}

/** Reads `application/problem+json` (RFC 9457); a proxy's answer without it is told by its status alone. */
async function refusal(response: Response, trace: string, now: number): Promise<WardwireError> {
  const { code, title } = asRecord(await response.json().catch(() => null)) ?? {};
  return new RefusedError(isWord(code) ? code : `http-${response.status}`, {
    title: typeof title === 'string' && title.length <= 200 ? title : `The server answered ${response.status}.`,
    status: response.status,
    retryAfterMs: readRetryAfter(response.headers.get('retry-after'), now),
    trace,
    challenge: response.headers.get('www-authenticate'),
  });
}

/** The application's word, its failure told as ours. */
async function inOurWords<T>(ask: () => T | Promise<T>, trace: string): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof WardwireError) throw cause;
    throw new ConnectionError('credential-function', { trace, cause });
  }
}

/** A ticket goes into a header, so nothing but its own alphabet may. */
function checked(answer: Fields | null, trace: string): Entry {
  const { ticket, handle } = answer ?? {};
  const plausible = handle === undefined || handle === null || typeof handle === 'string';
  if (typeof ticket === 'string' && /^[A-Za-z0-9_-]{16,512}$/.test(ticket) && plausible) return { ticket, handle };
  throw new ConnectionError('malformed-answer', { trace });
}

/** One deadline around everything, the application's own function included. */
function within<T>(ask: Ask, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const inner = new AbortController();
  return new Promise((resolve, reject) => {
    const stop = whenAborted(ask.signal, () => inner.abort());
    const timer = ask.platform.clock.after(ask.connectTimeoutMs, () => {
      reject(new ConnectionError('timeout', { trace: ask.trace }));
      inner.abort();
    });
    const done = (): void => {
      stop();
      timer.cancel();
    };
    work(inner.signal).then(resolve, reject).finally(done);
  });
}
