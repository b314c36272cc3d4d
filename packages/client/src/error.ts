/** The one error type: why a connection was refused, or why a request failed. */

import type { Advice } from './codes.js';
import type { ErrorData } from './protocol.js';

/** Codes that are made on this side; every other code is the server's word. */
export type LocalCode =
  /** The server could not be reached, or the browser hid its answer (CORS). */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** The application's own `token` or `ticket` function failed. */
  | 'credential-function'
  /** An answer that is not what the protocol promises. */
  | 'malformed-answer'
  /** There is no open connection, or it ended before the answer came. */
  | 'disconnected'
  /** Too many requests wait for an answer, or too many bytes wait to be sent. */
  | 'queue-full'
  /** The message is larger than `maxMessageBytes`; nothing was sent. */
  | 'message-too-large'
  /** Not JSON: a function, a cycle, `undefined`. */
  | 'not-json'
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
  readonly retryAfterMs?: number | null;
  readonly pointer?: string | null;
  readonly keyword?: string | null;
  readonly trace?: string | null;
  readonly cause?: unknown;
}

/**
 * A refusal or a failed request.
 *
 * `code` is stable and meant for programs, `title` for people. A refusal names its `trace`: quote it to whoever
 * runs the server, who finds the precise reason under it in the audit log.
 */
export class WardwireError extends Error {
  override readonly name = 'WardwireError';
  /** A stable word: the server's public code (`unauthenticated`, `forbidden`, ...) or a {@link LocalCode}. */
  readonly code: string;
  /** One sentence for people. */
  readonly title: string;
  /** The HTTP status of a refusal; `null` where HTTP said nothing. */
  readonly status: number | null;
  /** The JSON-RPC error code of a failed request; `null` elsewhere. */
  readonly rpc: number | null;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** The place in what was published that is refused, a JSON Pointer (RFC 6901); `''` is all of it. */
  readonly pointer: string | null;
  /** The rule of the channel's schema that it breaks. */
  readonly keyword: string | null;
  /** The id of the attempt in the server's audit log. */
  readonly trace: string | null;

  constructor(fields: WardwireErrorFields) {
    super(`${fields.title} (${fields.code})`, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = fields.code;
    this.title = fields.title;
    this.status = fields.status ?? null;
    this.rpc = fields.rpc ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.pointer = fields.pointer ?? null;
    this.keyword = fields.keyword ?? null;
    this.trace = fields.trace ?? null;
  }
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

/** What the server said of a request that failed. */
export interface RpcFailure {
  readonly code: number;
  readonly message: string;
  readonly data: Partial<ErrorData>;
}

/** The error of a request that the server answered with a JSON-RPC error. */
export function rpcError(error: RpcFailure, trace: string): WardwireError {
  const { code, message, data } = error;
  return new WardwireError({
    code: rpcCodes.get(code) ?? `rpc${code}`,
    title: message,
    rpc: code,
    retryAfterMs: data.retryAfter === undefined ? null : Math.ceil(data.retryAfter * 1000),
    pointer: data.pointer ?? null,
    keyword: data.keyword ?? null,
    trace,
  });
}
