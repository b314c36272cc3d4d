// Made from spec/codes.toml by `cargo xtask spec`. Edit that file.

/** When to come back after a connection that ended. */
export type Advice = 'at-once' | 'later' | 'after-sign-in' | 'never';

/** What to do after a close code, and after some with a certain word (RFC 6455 §7.4.1, IANA's registry), where it is not `later`. */
const advice: { readonly [codeAndWord: string]: Advice | undefined } = {
  1000: 'never',
  1002: 'never',
  1003: 'never',
  1007: 'never',
  3000: 'after-sign-in',
  3003: 'never',
  3008: 'at-once',
  '1008 errors': 'never',
  '1013 slow': 'at-once',
  '3003 forbidden': 'later',
  '3008 no-close': 'later',
};

/** What to do after a close with this code and the first word of its reason. */
export function adviceFor(code: number, word: string): Advice {
  return advice[`${code} ${word}`] ?? advice[code] ?? 'later';
}

/** The server's errors in band: JSON-RPC 2.0 §5.1, and from -32001 on Wardwire's own. */
export const RPC = {
  /** Not JSON (RFC 8259). */
  PARSE: -32700,
  /** Not a JSON-RPC 2.0 call, or more than 32 at once. */
  REQUEST: -32600,
  /** There is no such method. */
  METHOD: -32601,
  /** The parameters do not fit the method. `data.pointer` names the first that does not. */
  PARAMS: -32602,
  /** No right to that, or no such channel: the answer is the same. */
  FORBIDDEN: -32001,
  /** Too many messages. `data.retryAfter` says for how many seconds to wait. */
  RATE: -32002,
  /** Too many subscriptions or channels. */
  LIMIT: -32003,
  /** JSON that readers could read differently. */
  CONTENT: -32004,
  /** Not a channel name. */
  CHANNEL: -32005,
  /** Already subscribed, or not at all. */
  SUBSCRIPTION: -32006,
  /** The fresh token is not accepted; the socket lives on with the old one. */
  TOKEN: -32007,
  /** The data does not fit the channel. `data.pointer` names the place in it, `data.keyword` the rule. */
  INVALID: -32008,
  /** The data is larger than the channel takes at once: it never will. */
  TOO_LARGE: -32009,
} as const;
