/**
 * Tickets: the one-time proof that a socket is opened with.
 *
 * A browser cannot learn why a WebSocket handshake failed, so the question is asked by `fetch` first: the answer is a
 * ticket for one attempt, or the true reason of the refusal. A credential never stands in a URL.
 */

import { readRetryAfter } from './backoff.js';
import { whenAborted } from './emitter.js';
import { codeOf, ConnectionError, demandFit, inOurWords, RefusedError } from './error.js';
import { type Fields, fieldsOf, isText, isTextOrNull, isVisible, must } from './frames.js';
import { longestBody } from './limits.js';
import type { Platform } from './platform.js';

type Given<T> = () => T | Promise<T>;

/** How this application proves who its user is: {@link session}, {@link bearer} or {@link tickets} makes one. */
export interface Auth {
  /** @internal Whether browsers bring the proof along by themselves. */
  readonly ambient?: boolean;
  /** @internal Asks for a ticket; the answer is not looked at yet. */
  readonly enter: (ask: Ask) => Promise<unknown>;
  /** @internal Ends the session. */
  readonly leave: (ask: Ask) => Promise<unknown>;
  /** @internal What an open socket can be refreshed with. */
  readonly token?: Given<string> | undefined;
}

/** A ticket, or the whole answer of the ticket endpoint: with its `handle` the client notices when somebody else is signed in. */
type Ticket = string | { readonly ticket: string; readonly handle?: string | null };

/** The `__Host-wardwire` session cookie, from a page of the same site. */
export function session(): Auth {
  return atGate();
}

/**
 * An access token. `token` is asked before every attempt and when the current one expires, so return a fresh one; where it fails,
 * or what it gives is no token, the attempt fails with `credential-function`. Where it fails for a connection that is open, that
 * lives on until its own token has ended, and then it is asked again.
 *
 * @throws UsageError for what is no function: a token that is given as text can not be renewed.
 */
export function bearer(token: Given<string>): Auth {
  demandFit('bearer', typeof token === 'function');
  return atGate(token);
}

/**
 * Tickets that the application's own backend fetches; `ticket` is asked before every attempt. Where the backend refused, throw a
 * {@link RefusedError} with its `status`: `new RefusedError('unauthenticated', { status: 401 })` ends the connection until the application,
 * when somebody has signed in, calls {@link Wire.start}, as does any other but 408, 429 and those from 500 on. With these, where
 * `retryAfterMs` counts, and after whatever else is thrown, it is asked again. `signOut` ends the session there.
 */
export function tickets(ticket: Given<Ticket>, signOut: Given<void> = () => undefined): Auth {
  demandFit('auth', typeof ticket === 'function');
  return {
    enter: async ({ trace }) => {
      const given = await inOurWords('credential-function', trace, ticket);
      return typeof given === 'string' ? { ticket: given } : given;
    },
    leave: ({ trace }) => inOurWords('credential-function', trace, signOut),
  };
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
 * @throws UsageError for anything but `https:`, `wss:` (plain only on this machine), or a URL with a query, a fragment
 * or a user: those are where credentials leak from.
 */
export function readEndpoint(url: string | URL, route: string): Endpoint {
  // The origin alone: nothing else of the page's own address may decide where a credential goes.
  const base = (globalThis as { location?: { origin: string } }).location?.origin;
  let href!: string, origin!: string, pathname!: string;
  try {
    ({ href, origin, pathname } = new URL(url, base));
  } catch {
    // A path, where there is no page.
  }
  // TLS, or this machine; and nothing but a path.
  demandFit('url', href === origin + pathname && /^(http|ws)(s|:\/\/(localhost|127\.0\.0\.1|\[::1])(:|$))/.test(origin));
  return { socket: href.replace(/^http/, 'ws'), origin: origin.replace(/^ws/, 'http'), route: route || pathname };
}

/** One request to the gate. */
export interface Ask extends Platform {
  readonly endpoint: Endpoint;
  readonly auth: Auth;
  readonly trace: string;
  readonly connectTimeoutMs: number;
  /** Calls this request off: for whoever asks, or because it takes too long. */
  readonly abort: AbortController;
}

/** What one attempt begins with. */
export interface Entry {
  /** The subprotocol that names the proof. */
  readonly offer: string;
  /** Whose it is, as the server knows them; `null` for nobody in particular, `undefined` where it was not said. */
  readonly handle?: string | null | undefined;
}

/** The session's cookie, without a ticket: whose it is, the server says once the socket is open. */
export const byCookie: Entry = { offer: 'wardwire.session' };

/** Fetches a ticket for one attempt. Rejects with a {@link WardwireError}. */
export async function fetchTicket(ask: Ask): Promise<Entry> {
  const { ticket, handle } = fieldsOf(await within(ask, ask.auth.enter));
  // It goes into a header, so nothing but its own alphabet may.
  const fit = isText(ticket) && /^[\w-]{16,512}$/.test(ticket);
  if (fit && (handle === undefined || isTextOrNull(handle))) return { offer: `wardwire.ticket.${ticket}`, handle };
  throw new ConnectionError('malformed-answer', { trace: ask.trace });
}

/** Ends the session at the server. Rejects with a {@link WardwireError} where that could not be done. */
export async function endSession(ask: Ask): Promise<void> {
  await inOurWords('unreachable', ask.trace, () => within(ask, ask.auth.leave));
}

/** @throws UsageError for what none of the functions above made. */
export function demandAuth(auth: Auth): void {
  demandFit('auth', typeof auth?.enter === 'function');
}

function atGate(token?: Given<string>): Auth {
  return {
    token,
    ambient: !token,
    enter: (ask) => request(ask, token, '/.wardwire/tickets', { route: ask.endpoint.route }),
    leave: (ask) => request(ask, token, '/.wardwire/session'),
  };
}

/** The answer; or, as `application/problem+json` (RFC 9457), why not. A proxy's refusal without it is told by its status alone. */
async function request({ endpoint, trace, fetch, abort }: Ask, token: Given<string> | undefined, path: string, body?: object): Promise<Fields> {
  const headers = {
    'wardwire-trace': trace,
    ...(body && { 'content-type': 'application/json' }),
    ...(token && { authorization: `Bearer ${await inOurWords('credential-function', trace, async () => must(isVisible, await token()))}` }),
  };
  const response = await fetch(endpoint.origin + path, {
    method: body ? 'POST' : 'DELETE',
    headers,
    body: JSON.stringify(body),
    // A cookie beside a bearer token would be a second credential, which the gate refuses.
    credentials: token ? 'omit' : 'include',
    // No `cache`: unless that is the default, Chromium asks for a preflight each time.
    redirect: 'error',
    referrerPolicy: 'no-referrer',
    signal: abort.signal,
  });
  const { ok, status } = response;
  const fields = fieldsOf(await readBody(response));
  if (ok) return fields;
  const { code, title } = fields;
  throw new RefusedError(codeOf(code, `http-${status}`), {
    title: isText(title) ? title.slice(0, 200) : `HTTP ${status}`,
    status,
    retryAfterMs: readRetryAfter(response.headers.get('retry-after')),
    trace,
    challenge: response.headers.get('www-authenticate'),
  });
}

/** The body as JSON makes it; `null` where it is none, or longer than any that is meant. The rest is not waited for. */
function readBody({ body }: Response): Promise<unknown> {
  let left = longestBody;
  const cut = new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, to) => ((left -= chunk.length) < 0 ? to.terminate() : to.enqueue(chunk)) });
  return new Response(body?.pipeThrough(cut)).json().catch(() => null);
}

/** One deadline around everything, the application's own function included. */
function within<T>(ask: Ask, work: (ask: Ask) => Promise<T>): Promise<T> {
  const { abort, clock, connectTimeoutMs, trace } = ask;
  return new Promise((resolve, reject) => {
    const timer = clock.after(connectTimeoutMs, () => abort.abort(new ConnectionError('timeout', { trace })));
    // The application's function may never end.
    whenAborted(abort.signal, () => {
      timer();
      reject(abort.signal.reason);
    });
    work(ask).then(resolve, reject).finally(timer);
  });
}
