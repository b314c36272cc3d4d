/**
 * Tickets: the one-time proof that a socket is opened with.
 *
 * A browser cannot learn why a WebSocket handshake failed, so the question is asked by `fetch` first: the answer is a
 * ticket for one attempt, or the true reason of the refusal. A credential never stands in a URL.
 */

import { readRetryAfter } from './backoff.js';
import { ConnectionError, RefusedError, WardwireError } from './error.js';
import type { Platform } from './platform.js';
import { asRecord, own } from './frames.js';

/** How this application proves who its user is: {@link session}, {@link bearer} or {@link tickets}. */
export type Auth =
  | { readonly kind: 'session' }
  | { readonly kind: 'bearer'; readonly token: () => string | Promise<string> }
  | { readonly kind: 'tickets'; readonly ticket: () => string | Promise<string>; readonly signOut: () => void | Promise<void> };

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
export function tickets(ticket: () => string | Promise<string>, signOut: () => void | Promise<void> = () => undefined): Auth {
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
  if (!plain && parsed.protocol !== 'wss:' && parsed.protocol !== 'https:') throw new TypeError('The URL must be wss: or https:.');
  if (plain && !['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname)) {
    throw new TypeError('Only wss: and https: leave this machine.');
  }
  if (parsed.search !== '' || parsed.hash !== '' || parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('The URL may hold no query, fragment, user or password: a credential there ends up in logs.');
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
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Fetches a ticket for one attempt. Rejects with a {@link WardwireError}. */
export async function fetchTicket(ask: Ask, platform: Platform): Promise<string> {
  return within(ask, platform, async (signal) => {
    if (ask.auth.kind === 'tickets') return checked(await inOurWords(ask.auth.ticket, ask.trace), ask.trace);
    const response = await request(ask, platform, signal, 'POST', '/.wardwire/tickets', { route: ask.endpoint.route });
    const body = asRecord(await response.json().catch(() => null));
    return checked(body && own(body, 'ticket'), ask.trace);
  });
}

/** Ends the session at the server. Rejects with a {@link WardwireError} where that could not be done. */
export async function endSession(ask: Ask, platform: Platform): Promise<void> {
  const { auth } = ask;
  await within(ask, platform, async (signal) => {
    if (auth.kind === 'tickets') await inOurWords(auth.signOut, ask.trace);
    else await request(ask, platform, signal, 'DELETE', '/.wardwire/session', null);
  });
}

async function request(
  ask: Ask,
  platform: Platform,
  signal: AbortSignal,
  method: string,
  path: string,
  body: object | null,
): Promise<Response> {
  const headers: Record<string, string> = { 'wardwire-trace': ask.trace };
  if (body !== null) headers['content-type'] = 'application/json';
  if (ask.auth.kind === 'bearer') {
    headers['authorization'] = `Bearer ${await inOurWords(ask.auth.token, ask.trace)}`;
  }
  let response: Response;
  try {
    response = await platform.fetch(ask.endpoint.origin + path, {
      method,
      headers,
      body: body === null ? null : JSON.stringify(body),
      // A cookie beside a bearer token would be a second credential, which the gate refuses.
      credentials: ask.auth.kind === 'session' ? 'include' : 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal,
    });
  } catch (cause) {
    throw new ConnectionError({ code: 'unreachable', title: 'The server cannot be reached.', trace: ask.trace, cause });
  }
  if (!response.ok) throw await refusal(response, ask.trace, platform.clock.now());
  return response;
}

/** Reads `application/problem+json` (RFC 9457); a proxy's answer without it is told by its status alone. */
async function refusal(response: Response, trace: string, now: number): Promise<WardwireError> {
  const problem = asRecord(await response.json().catch(() => null));
  const code = problem && own(problem, 'code');
  const title = problem && own(problem, 'title');
  return new RefusedError({
    code: typeof code === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(code) ? code : `http-${response.status}`,
    title: typeof title === 'string' && title.length <= 200 ? title : `The server answered ${response.status}.`,
    status: response.status,
    retryAfterMs: readRetryAfter(response.headers.get('retry-after'), now),
    trace,
  });
}

/** The application's word, its failure told as ours. */
async function inOurWords<T>(ask: () => T | Promise<T>, trace: string): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof WardwireError) throw cause;
    const title = 'The function that gives the credential failed.';
    throw new ConnectionError({ code: 'credential-function', title, trace, cause });
  }
}

/** A ticket goes into a header, so nothing but its own alphabet may. */
function checked(ticket: unknown, trace: string): string {
  if (typeof ticket === 'string' && /^[A-Za-z0-9_-]{16,512}$/.test(ticket)) return ticket;
  throw new ConnectionError({ code: 'malformed-answer', title: 'That is no ticket.', trace });
}

/** One deadline around everything, the application's own function included. */
async function within<T>(ask: Ask, platform: Platform, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const inner = new AbortController();
  const stop = (): void => inner.abort();
  ask.signal.addEventListener('abort', stop, { once: true });
  let timer: { cancel(): void } | null = null;
  const late = new Promise<never>((_, reject) => {
    timer = platform.clock.after(ask.timeoutMs, () => {
      reject(new ConnectionError({ code: 'timeout', title: 'The server did not answer in time.', trace: ask.trace }));
      inner.abort();
    });
  });
  try {
    return await Promise.race([work(inner.signal), late]);
  } finally {
    (timer as { cancel(): void } | null)?.cancel();
    ask.signal.removeEventListener('abort', stop);
  }
}
