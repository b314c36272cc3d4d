/** Why a connection was refused, or why a call failed: what happened, for programs and for people, and what helps. */

import type { Advice } from './codes.js';
import { type Frame, isWord } from './frames.js';
import type { ErrorData } from './protocol.js';

/** Codes that are made on this side, and that no server can give; every other code is the server's word. */
const localCodes = [
  /** The server could not be reached, or the browser hid its answer (CORS). */
  'unreachable',
  /** No answer in time. */
  'timeout',
  /** The application's own function that gives the credential failed. */
  'credential-function',
  /** An answer that is not what the protocol promises. */
  'malformed-answer',
  /** There is no open connection, or it ended before the answer came. */
  'disconnected',
  /** Sent, and no answer came, or none that can be read: it may be published, or not. */
  'unconfirmed',
  /** Never sent: no connection came in time. */
  'not-sent',
  /** Too much waits to be sent or answered, or too many channels are followed. */
  'queue-full',
  /** Whoever iterates over a channel does not keep up with it. */
  'backlog-full',
  /** The message is larger than `maxMessageBytes`; nothing was sent. Or the server closed (1009) as one of those that were under way is larger than its route takes. */
  'message-too-large',
  /** Not JSON: a function, a cycle, `undefined`; or an object that JSON makes an empty one of, as a `Map`, a `Blob` or a promise. */
  'not-json',
  /** An option that is not what its documentation says. */
  'usage',
  /** The server ended the subscription: a right was lost, or its grant expired. */
  'revoked',
  /** The subscription was given up before its answer came. */
  'unsubscribed',
  /** The client was closed by the application. */
  'closed',
  /** The user signed out, here or elsewhere. */
  'signed-out',
  /** Somebody else is signed in than before: what the one before left was dropped. */
  'another-user',
] as const;

/** What {@link WardwireError.code} can be where the server said nothing. */
export type LocalCode = (typeof localCodes)[number];

/** What is known of an error beside its code. */
export interface WardwireErrorFields {
  /** Default: the code. */
  readonly title?: string;
  readonly status?: number | null;
  readonly rpc?: number | null;
  readonly data?: ErrorData | null;
  readonly retryAfterMs?: number | null;
  readonly trace?: string | null;
  readonly challenge?: string | null;
  readonly cause?: unknown;
}

/**
 * A refusal or a failed call; always one of the classes below.
 *
 * `code` is stable and meant for programs; {@link remedyFor} says in a sentence what helps. A refusal names its `trace`:
 * quote it to whoever runs the server, who finds the precise reason under it in the audit log.
 */
export class WardwireError extends Error {
  override readonly name: string = 'WardwireError';
  /** Stable: a word of this side, of the server's errors, or of its refusals. */
  declare readonly code: LocalCode | (string & {});
  /** What the server says for people; of an error of this side its code, or what is wrong with what was given. */
  declare readonly title: string;
  /** The HTTP status of a refusal; `null` elsewhere. */
  declare readonly status: number | null;
  /** The JSON-RPC error code of a failed call; `null` elsewhere. */
  declare readonly rpc: number | null;
  /** What the server says beside the code of a failed call. */
  declare readonly data: ErrorData | null;
  /** How long the server asks to wait, in milliseconds. */
  declare readonly retryAfterMs: number | null;
  /** The id of the attempt in the server's audit log. */
  declare readonly trace: string | null;
  /** `WWW-Authenticate` of a refusal, in which {@link stepUpFor} reads what a sign-in has to ask for; `null` elsewhere. */
  declare readonly challenge: string | null;

  /** @internal Of these an application makes a {@link RefusedError} alone. */
  constructor(code: LocalCode | (string & {}), fields: WardwireErrorFields = {}) {
    super(fields.title ? `${fields.title} (${code})` : code, fields);
    Object.assign(this, { code, title: code, status: null, rpc: null, data: null, retryAfterMs: null, trace: null, challenge: null }, fields);
  }
}

/**
 * The gate refused over HTTP, before there was a socket. An application makes one where its own backend refused a ticket:
 * `new RefusedError('unauthenticated', { status: 401 })`, thrown by the function that it gave to {@link tickets}.
 */
export class RefusedError extends WardwireError {
  override readonly name = 'RefusedError';
}

/** The server answered a call with an error. */
export class CallError extends WardwireError {
  override readonly name = 'CallError';
}

/** The connection failed, ended, was too slow, or broke the protocol. */
export class ConnectionError extends WardwireError {
  override readonly name = 'ConnectionError';
}

/** The application asked for what cannot be: nothing was sent. */
export class UsageError extends WardwireError {
  override readonly name = 'UsageError';
}

/** @throws UsageError where what was given by this name is not as documented. What would be {@link remedyFor} says, for pages that show it. */
export function demandFit(name: string, fits: boolean): asserts fits {
  if (!fits) throw new UsageError('usage', { title: `Not as documented: \`${name}\`` });
}

/** What `work` gives. What it fails with is ours, or the cause of an error with this code. */
export async function inOurWords<T>(code: LocalCode, trace: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof WardwireError ? cause : new ConnectionError(code, { trace, cause });
  }
}

/** What a refusal before the socket means for the next attempt. */
export function adviceForRefusal(error: WardwireError): Advice {
  const { status } = error;
  if (status === null || status === 408 || status === 429 || status >= 500) return 'later';
  return status === 401 ? 'after-sign-in' : 'never';
}

/** A word of the server's as a code, unless it is none, or one of this side's: on those the client itself goes by. */
export function codeOf(word: unknown, other: string): string {
  return isWord(word) && !(localCodes as readonly string[]).includes(word) ? word : other;
}

/** The error of a call that the server answered with a JSON-RPC error. */
export function rpcError({ code, message: title, data }: Extract<Frame, { kind: 'error' }>, trace: string): CallError {
  const retryAfterMs = data?.retryAfter === undefined ? null : Math.ceil(data.retryAfter * 1000);
  return new CallError(codeOf(data?.word, `rpc${code}`), { title, rpc: code, data, retryAfterMs, trace });
}
