/** Why a call failed: what happened, for programs and for people, and what helps. */

/** Codes that are made on this side; every other code is the server's word. */
export type LocalCode =
  /** The server could not be reached. */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** The answer points elsewhere. It was not followed. */
  | 'redirected'
  /** An answer that is not what the protocol promises. */
  | 'malformed-answer'
  /** An answer larger than any that the protocol promises. */
  | 'answer-too-large'
  /** A request over 256 KiB, or a grant over 8 KiB. Nothing was sent. */
  | 'message-too-large'
  /** Not JSON: a function, a cycle, `undefined`. Nothing was sent. */
  | 'not-json'
  /** A key that signs no grants. */
  | 'key'
  /** An argument that is not what its documentation says. Nothing was sent. */
  | 'usage';

/** What a program can go by beside the code of a call that the server refused. */
export interface ErrorData {
  /** The code's stable name. */
  readonly word: string;
  /** The rule that was broken, as the channel's schema calls it. */
  readonly keyword?: string;
  /** A JSON Pointer (RFC 6901) to what is wrong: with `params` into the parameters, else into the data. */
  readonly pointer?: string;
  /** In seconds: the same call may succeed after so long. */
  readonly retryAfter?: number;
}

/** What is known of an error beside its code. */
export interface WardwireErrorFields {
  /** Default: what is written for the code. */
  readonly title?: string;
  readonly status?: number;
  readonly rpc?: number;
  readonly data?: ErrorData | null;
  readonly retryAfterMs?: number | null;
  readonly trace?: string;
}

const again = 'Look whether it is reachable; it may have been done all the same: a `publish` with an `id` can be repeated.';

/** What happened, and what helps. */
const own: Readonly<Record<LocalCode, readonly [title: string, remedy: string]>> = {
  unreachable: ['The server cannot be reached.', again],
  timeout: ['No answer in time.', again],
  redirected: ['The answer points elsewhere.', 'Write the address of the server itself: the token goes nowhere else.'],
  'malformed-answer': ['The answer breaks the protocol.', 'Look whether a Wardwire server is at this address.'],
  'answer-too-large': ['The answer is too large.', 'Look whether a Wardwire server is at this address.'],
  'message-too-large': ['It is too large.', 'Send less, or in several requests.'],
  'not-json': ['Neither JSON nor a Uint8Array.', 'Publish what JSON can say.'],
  key: ['This key signs no grants.', 'Use a private key for ES256 (P-256) or Ed25519, as a CryptoKey or a JWK.'],
  usage: ['Not as documented.', 'Change the call.'],
};

const wait = 'Wait for `retryAfterMs`.';

/** What helps with what the server says. */
const remedies: Readonly<Record<string, string>> = {
  unauthenticated: 'Look whether the token is one of `backend.token_files`, and whether the server has read that since.',
  'origin-not-allowed': 'Call from a server: no page has any business here, and a token in one is lost.',
  'not-found': 'Look whether the address is the server’s, and whether its configuration has a table `[backend]`.',
  'bad-request': 'Look whether something between here and the server changes requests.',
  'method-not-allowed': 'Look whether something between here and the server changes requests.',
  unavailable: wait,
  'too-many-connections': wait,
  'too-many-requests': wait,
  rate: wait,
  forbidden: 'Give the backend the right (`"server"`) in the rules of this channel, or correct its name.',
  params: 'Correct the parameters; of a revocation the `issuer`, which must be one that the server trusts.',
  channel: 'Use a name of non-empty segments, at most 255 bytes, in Unicode’s NFC.',
  content: 'Send JSON that all readers read alike: no member twice, no `__proto__`, no integer beyond 2^53, not too deep.',
  invalid: 'Change the place that `data.pointer` names, as `data.keyword` asks.',
  'too-large': 'Send less.',
  limit: wait,
  method: 'Use a server that knows this call.',
};

/**
 * A refusal or a failed call; always one of the classes below.
 *
 * `code` is stable and meant for programs, `title` and `remedy` for people. `trace` names the request in the server's audit log,
 * which has the precise reason. None of it holds the token.
 */
export class WardwireError extends Error {
  override readonly name: string = 'WardwireError';
  readonly code: LocalCode | (string & {});
  readonly title: string;
  /** What helps, in one sentence. */
  readonly remedy: string;
  /** The HTTP status of a refusal; `null` elsewhere. */
  readonly status: number | null;
  /** The JSON-RPC error code of a failed call; `null` elsewhere. */
  readonly rpc: number | null;
  readonly data: ErrorData | null;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** `null` where nothing was sent. */
  readonly trace: string | null;

  /** @internal */
  constructor(code: LocalCode | (string & {}), fields: WardwireErrorFields = {}) {
    const known = isLocal(code) ? own[code] : null;
    const title = fields.title ?? known?.[0] ?? code;
    const remedy = known?.[1] ?? (Object.hasOwn(remedies, code) ? (remedies[code] as string) : 'Look for the trace in the server’s audit log.');
    super(`${title} ${remedy} (${code})`);
    this.code = code;
    this.title = title;
    this.remedy = remedy;
    this.status = fields.status ?? null;
    this.rpc = fields.rpc ?? null;
    this.data = fields.data ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.trace = fields.trace ?? null;
  }
}

/** The server refused the request as a whole, over HTTP. */
export class RefusedError extends WardwireError {
  override readonly name = 'RefusedError';
}

/** The server answered a call with an error. */
export class CallError extends WardwireError {
  override readonly name = 'CallError';
}

/** No answer came, or none that could be read. */
export class ConnectionError extends WardwireError {
  override readonly name = 'ConnectionError';
}

/** The application asked for what cannot be: nothing was sent, nothing signed. */
export class UsageError extends WardwireError {
  override readonly name = 'UsageError';
}

export function usage(title: string): UsageError {
  return new UsageError('usage', { title });
}

/** Refuses what are no options, and those under names that mean nothing: one that is misspelt would be passed over. */
export function demandNames(options: object, ...names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw usage('The options are an object.');
  for (const name of Object.keys(options)) if (!names.includes(name)) throw usage(`There is no option \`${name}\`.`);
}

/** Whether a word is one of this side's, by which no server may speak. */
export function isLocal(code: string): code is LocalCode {
  return Object.hasOwn(own, code);
}
