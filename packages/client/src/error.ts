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
  | 'signed-out';

/** What an error is made of. */
export interface WardwireErrorFields {
  readonly code: string;
  readonly title: string;
  readonly status?: number | null;
  readonly rpc?: number | null;
  readonly data?: ErrorData | null;
  readonly retryAfterMs?: number | null;
  readonly trace?: string | null;
  readonly cause?: unknown;
}

/** What helps, by code. */
const remedies: Readonly<Record<string, string>> = {
  unreachable: 'Check the address and that the server allows this origin.',
  timeout: 'Try again later.',
  'credential-function': 'Look at the cause: the function given to `auth` failed.',
  'malformed-answer': 'Update client and server to versions that fit.',
  disconnected: 'Wait for the state "open"; call start() if it is "idle" or "ended".',
  unconfirmed: 'Publish again with the same `id` within five minutes: it is then published once.',
  'not-sent': 'Nothing was published; publish again once the state is "open".',
  'queue-full': 'Wait for earlier promises to settle, or unsubscribe.',
  'backlog-full': 'Read faster, allow a larger `backlog`, or use on("publication").',
  'message-too-large': 'Send less, or raise `maxMessageBytes` here and the limit at the server.',
  'not-json': 'Publish plain JSON, or a Uint8Array on a binary channel.',
  revoked: 'The right to this channel was lost: ask for it, then subscribe again.',
  closed: 'Call start() to connect again.',
  'signed-out': 'Sign in, then call start().',
  unauthenticated: 'Sign in, then call start().',
  forbidden: 'Ask whoever runs the server for the right; asking again does not help.',
  'origin-not-allowed': 'Add this origin to the server’s configuration.',
  rate: 'Wait for `retryAfterMs`.',
  limit: 'Unsubscribe from what is not needed.',
  'content-refused': 'Send JSON that all readers read alike, without doubled keys or unsafe numbers.',
  'channel-name': 'Use a name of non-empty segments.',
  invalid: 'Change the place that `data.pointer` names, as `data.keyword` asks.',
  'too-large': 'Send less.',
  token: 'Bring a fresh token of the same user.',
};

/**
 * A refusal or a failed call; always one of the classes below.
 *
 * `code` is stable and meant for programs, `title` and `remedy` for people. A refusal names its `trace`: quote it to
 * whoever runs the server, who finds the precise reason under it in the audit log.
 */
export class WardwireError extends Error {
  override readonly name: string = 'WardwireError';
  /** A stable word: the server's public code (`unauthenticated`, `forbidden`, ...) or a {@link LocalCode}. */
  readonly code: string;
  /** One sentence for people. */
  readonly title: string;
  /** What helps, in one sentence. */
  readonly remedy: string;
  /** The HTTP status of a refusal; `null` where HTTP said nothing. */
  readonly status: number | null;
  /** The JSON-RPC error code of a failed call; `null` elsewhere. */
  readonly rpc: number | null;
  /** What the server says beside the code of a failed call. */
  readonly data: ErrorData | null;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** The id of the attempt in the server's audit log. */
  readonly trace: string | null;

  constructor(fields: WardwireErrorFields) {
    const remedy = Object.hasOwn(remedies, fields.code) ? remedies[fields.code] : undefined;
    super(`${fields.title} (${fields.code})`, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = fields.code;
    this.title = fields.title;
    this.remedy = remedy ?? 'Quote the trace to whoever runs the server.';
    this.status = fields.status ?? null;
    this.rpc = fields.rpc ?? null;
    this.data = fields.data ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.trace = fields.trace ?? null;
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

const rpcCodes: ReadonlyMap<number, string> = new Map([
  [-32700, 'parse-error'],
  [-32600, 'invalid-request'],
  [-32601, 'method-not-found'],
  [-32602, 'invalid-params'],
  [-32603, 'internal-error'],
  [-32001, 'forbidden'],
  [-32002, 'rate'],
  [-32003, 'limit'],
  [-32004, 'content-refused'],
  [-32005, 'channel-name'],
  [-32006, 'subscription'],
  [-32007, 'token'],
  [-32008, 'invalid'],
  [-32009, 'too-large'],
]);

/** The error of a call that the server answered with a JSON-RPC error. */
export function rpcError(code: number, message: string, data: ErrorData | null, trace: string): CallError {
  const retryAfterMs = data?.retryAfter === undefined ? null : Math.ceil(data.retryAfter * 1000);
  return new CallError({ code: rpcCodes.get(code) ?? `rpc${code}`, title: message, rpc: code, data, retryAfterMs, trace });
}
