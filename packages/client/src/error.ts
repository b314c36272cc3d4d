/** Why a connection was refused, or why a call failed: what happened, for programs and for people, and what helps. */

import type { Advice } from './codes.js';
import type { ErrorData } from './protocol.js';

/** Codes that are made on this side; every other code is the server's word. */
export type LocalCode =
  /** The server could not be reached, or the browser hid its answer (CORS). */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** The application's own function that gives the credential failed. */
  | 'credential-function'
  /** An answer that is not what the protocol promises. */
  | 'malformed-answer'
  /** There is no open connection, or it ended before the answer came. */
  | 'disconnected'
  /** Sent, and no answer came: it may be published, or not. */
  | 'unconfirmed'
  /** Never sent: no connection came in time. */
  | 'not-sent'
  /** Too much waits to be sent or answered, or too many channels are followed. */
  | 'queue-full'
  /** Whoever iterates over a channel does not keep up with it. */
  | 'backlog-full'
  /** The message is larger than `maxMessageBytes`; nothing was sent. */
  | 'message-too-large'
  /** Not JSON: a function, a cycle, `undefined`. */
  | 'not-json'
  /** An option that is not what its documentation says. */
  | 'usage'
  /** The server ended the subscription: a right was lost, or its grant expired. */
  | 'revoked'
  /** The subscription was given up before its answer came. */
  | 'unsubscribed'
  /** The client was closed by the application. */
  | 'closed'
  /** The user signed out, here or elsewhere. */
  | 'signed-out'
  /** Somebody else is signed in than before: what the one before left was dropped. */
  | 'another-user';

/** What is known of an error beside its code. */
export interface WardwireErrorFields {
  /** Default: what is written for the code. */
  readonly title?: string;
  readonly status?: number | null;
  readonly rpc?: number | null;
  readonly data?: ErrorData | null;
  readonly retryAfterMs?: number | null;
  readonly trace?: string | null;
  readonly challenge?: string | null;
  readonly cause?: unknown;
}

/** What happened and what helps, by the codes of this side. What helps with the server's is in {@link remedyFor}. */
const titles: Readonly<Record<LocalCode, string>> = {
  unreachable: 'The server cannot be reached.',
  timeout: 'No answer in time.',
  'credential-function': 'The function given to `auth` failed.',
  'malformed-answer': 'The answer breaks the protocol.',
  disconnected: 'There is no connection.',
  unconfirmed: 'Sent, but nobody knows whether it is published.',
  'not-sent': 'Nothing was sent in time.',
  'queue-full': 'Too much waits already.',
  'backlog-full': 'Read more slowly than published.',
  'message-too-large': 'Larger than `maxMessageBytes`.',
  'not-json': 'Neither JSON nor a Uint8Array.',
  usage: 'Not as documented.',
  revoked: 'The right to this channel ended.',
  unsubscribed: 'Unsubscribed.',
  closed: 'The client was closed.',
  'signed-out': 'Signed out.',
  'another-user': 'Another user is signed in now.',
};

/**
 * A refusal or a failed call; always one of the classes below.
 *
 * `code` is stable and meant for programs, `title` for people. A refusal names its `trace`: quote it to whoever runs the
 * server, who finds the precise reason under it in the audit log.
 */
export class WardwireError extends Error {
  override readonly name: string = 'WardwireError';
  readonly code: LocalCode | (string & {});
  readonly title: string;
  /** The HTTP status of a refusal; `null` elsewhere. */
  readonly status: number | null;
  /** The JSON-RPC error code of a failed call; `null` elsewhere. */
  readonly rpc: number | null;
  /** What the server says beside the code of a failed call. */
  readonly data: ErrorData | null;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** The id of the attempt in the server's audit log. */
  readonly trace: string | null;
  /** `WWW-Authenticate` of a refusal, in which {@link stepUpFor} reads what a sign-in has to ask for; `null` elsewhere. */
  readonly challenge: string | null;

  constructor(code: LocalCode | (string & {}), fields: WardwireErrorFields = {}) {
    const title = fields.title ?? (isLocal(code) ? titles[code] : code);
    super(`${title} (${code})`, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.title = title;
    this.status = fields.status ?? null;
    this.rpc = fields.rpc ?? null;
    this.data = fields.data ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.trace = fields.trace ?? null;
    this.challenge = fields.challenge ?? null;
  }
}

/** The gate refused over HTTP, before there was a socket. */
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

/** What a refusal before the socket means for the next attempt. */
export function adviceForRefusal(error: WardwireError): Advice {
  const { status } = error;
  if (status === null || status === 408 || status === 429 || status >= 500) return 'later';
  return status === 401 ? 'after-sign-in' : 'never';
}

/**
 * The error of a call that the server answered with a JSON-RPC error. Its code is the server's word, unless that is one of
 * this side's: on those the client itself goes by.
 */
export function rpcError(code: number, title: string, data: ErrorData | null, trace: string): CallError {
  const retryAfterMs = data?.retryAfter === undefined ? null : Math.ceil(data.retryAfter * 1000);
  const word = data === null || isLocal(data.word) ? `rpc${code}` : data.word;
  return new CallError(word, { title, rpc: code, data, retryAfterMs, trace });
}

function isLocal(code: string): code is LocalCode {
  return Object.hasOwn(titles, code);
}
