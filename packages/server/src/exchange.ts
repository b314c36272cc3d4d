/**
 * One request to the backend's API and its answer: bounded in time and size, never redirected.
 *
 * INVARIANT: the token stands in one header and nowhere else; whatever others say goes through {@link Endpoint.clean} before an
 * error holds it.
 */

import { ConnectionError, RefusedError, usage, UsageError } from './error.js';
import { asRecord, isWord } from './answers.js';

/** The part of the platform's `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What can be waited for no longer. */
export interface Abortable {
  /** Ends the wait, with its own reason. What was sent may be done all the same. */
  readonly signal?: AbortSignal;
}

/** The most bytes of a request, as the server has it. */
export const requestBytes = 256 * 1024;
/** 512 KiB of history, and what stands around 3200 publications. */
const answerBytes = 4 * 1024 * 1024;
/** As a token's file may hold; nobody guesses the shortest. */
const tokenLength = { least: 32, most: 4096 } as const;
const longestWaitMs = 86_400_000;

/** Where the server is, and what it is shown. */
export class Endpoint {
  readonly url: string;
  readonly #token: string;

  constructor(url: string | URL, token: unknown) {
    this.url = readUrl(url);
    this.#token = readToken(token);
  }

  get authorization(): string {
    return `Bearer ${this.#token}`;
  }

  /** What somebody else said, short and without the token. */
  clean(text: string): string {
    return text.replaceAll(this.#token, '[token]').slice(0, 500);
  }
}

export interface Terms {
  readonly endpoint: Endpoint;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
}

/** What was answered, as JSON has it. */
export interface Answered {
  readonly value: unknown;
  readonly trace: string;
}

/** Sends one request. Rejects with a `WardwireError`, or with the reason of `signal`. */
export function exchange(terms: Terms, body: string, signal: AbortSignal | undefined): Promise<Answered> {
  const bytes = new TextEncoder().encode(body);
  if (bytes.length > requestBytes) throw new UsageError('message-too-large');
  if (signal && typeof signal.throwIfAborted !== 'function') throw usage('A `signal` is an AbortSignal.');
  signal?.throwIfAborted();
  const trace = crypto.randomUUID();
  const inner = new AbortController();
  // Whatever `fetch` makes of its signal: this promise ends in time.
  const ended = new Promise<never>((_, reject) => inner.signal.addEventListener('abort', () => reject(inner.signal.reason)));
  const timer = setTimeout(() => inner.abort(new ConnectionError('timeout', { trace })), terms.timeoutMs);
  const aborted = (): void => inner.abort(signal?.reason);
  signal?.addEventListener('abort', aborted);
  return Promise.race([ended, ask(terms, bytes, trace, inner.signal)]).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
  });
}

async function ask({ endpoint, fetch }: Terms, body: Uint8Array<ArrayBuffer>, trace: string, signal: AbortSignal): Promise<Answered> {
  const headers = { authorization: endpoint.authorization, 'content-type': 'application/json', 'wardwire-trace': trace };
  let response: Response;
  let text: string | null;
  try {
    // Not "error", which some edge runtimes do not know.
    response = await fetch(endpoint.url, { method: 'POST', headers, body, redirect: 'manual', signal });
    text = await readText(response);
  } catch (cause) {
    throw new ConnectionError('unreachable', { title: `The server cannot be reached: ${endpoint.clean(told(cause))}.`, trace });
  }
  const { status } = response;
  if (response.type === 'opaqueredirect' || response.redirected || (status >= 300 && status < 400)) throw new ConnectionError('redirected', { trace });
  if (text === null) throw new ConnectionError('answer-too-large', { trace });
  const value = parse(text);
  if (status !== 200) throw refusal(endpoint, response, value, trace);
  if (value === undefined) throw new ConnectionError('malformed-answer', { trace });
  return { value, trace };
}

/** Reads `application/problem+json` (RFC 9457); a proxy's answer without it is told by its status alone. */
function refusal(endpoint: Endpoint, { status, headers }: Response, value: unknown, trace: string): RefusedError {
  const { code, title } = asRecord(value) ?? {};
  const seconds = headers.get('retry-after') ?? '';
  const cleaned = isWord(code) ? endpoint.clean(code) : null;
  return new RefusedError(cleaned !== null && isWord(cleaned) ? cleaned : `http-${status}`, {
    title: typeof title === 'string' ? `The server refused: ${endpoint.clean(title)}.` : `The server answered ${status}.`,
    status,
    retryAfterMs: /^[0-9]{1,9}$/.test(seconds) ? Math.min(longestWaitMs, Number(seconds) * 1000) : null,
    trace,
  });
}

/** The body as text; `null` where it is too large. */
async function readText(response: Response): Promise<string | null> {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.length;
    if (length > answerBytes) {
      reader.cancel().catch(() => undefined);
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What `fetch` says of a failure: its own words tell nothing, those of its cause do. The error itself may hold the request. */
function told(error: unknown): string {
  const words: string[] = [];
  for (let at = error; at instanceof Error && words.length < 4; at = at.cause) {
    const { message, code } = at as Error & { code?: unknown };
    words.push(message === '' && typeof code === 'string' ? code : message);
  }
  return words.filter((word) => word !== '').join(': ') || 'no reason was given';
}

/** The origin is all that is needed, and a URL is where credentials leak from. */
function readUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw usage('The address is no URL: write one like "https://live.example.com".');
  }
  const { protocol, hostname, pathname, search, hash, username, password } = parsed;
  const plain = protocol === 'http:' && /^(localhost|127(\.[0-9]+){3}|\[::1\])$/.test(hostname);
  if (protocol !== 'https:' && !plain) throw usage('The address must be https:, or http: to this very machine: the token would be in the clear.');
  if (pathname !== '/' || search !== '' || hash !== '' || username !== '' || password !== '') {
    throw usage('The address is scheme, host and port alone, as "https://live.example.com".');
  }
  return `${parsed.origin}/.wardwire/backend`;
}

function readToken(token: unknown): string {
  // White space around it, as at the end of a file, is no part of it for the server either.
  const trimmed = typeof token === 'string' ? token.trim() : '';
  const { least, most } = tokenLength;
  if (trimmed.length < least || trimmed.length > most || !/^[\x21-\x7e]+$/.test(trimmed)) {
    throw usage(`The token is ${least} to ${most} visible characters of ASCII: what a file of \`backend.token_files\` holds.`);
  }
  return trimmed;
}
