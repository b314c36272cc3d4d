/** The backend's API of a Wardwire server: `POST /.wardwire/backend`, JSON-RPC 2.0. */

import { asRecord, type History, type Presence, type Published, readErrorData, type Revoked } from './answers.js';
import { type Call, Calls, type HistoryOptions, type PresenceOptions, type PublishOptions, type Revocation } from './calls.js';
import { CallError, ConnectionError, demandNames, isLocal, usage } from './error.js';
import { type Abortable, type Answered, Endpoint, exchange, type Fetch, type Terms } from './exchange.js';
import type { AnyChannels, DataOf, NameOf } from './names.js';

/** Who asks, and how. Times are in milliseconds. */
export interface BackendOptions {
  /** What one of the server's `backend.token_files` holds. */
  readonly token: string;
  /** For the whole of a request; 1 to 600,000, default 10,000. */
  readonly timeoutMs?: number;
  /** In place of the platform's. */
  readonly fetch?: Fetch;
}

/** What became of one call of a batch. */
export type Outcome<Result> =
  | { readonly status: 'fulfilled'; readonly value: Result }
  | { readonly status: 'rejected'; readonly reason: CallError | ConnectionError };

/** What became of the calls of a batch, in their order. */
export type Batched<List extends readonly Call<unknown>[]> = {
  readonly [At in keyof List]: List[At] extends Call<infer Result> ? Outcome<Result> : never;
};

/** As many calls as a server takes at once. */
const batchCalls = 32;

/**
 * An application's backend, as it speaks to one server. It holds no connection: make one where the token is, and keep it.
 *
 * Every call rejects with a `WardwireError`, or with the reason of its `signal`; a mistake in the call itself is a `UsageError`.
 */
export class Backend<Channels = AnyChannels> {
  readonly #terms: Terms;
  readonly #calls = new Calls<Channels>();

  /** `url` is scheme, host and port of the server: https, or plain http on this very machine. */
  constructor(url: string | URL, options: BackendOptions) {
    demandNames(options, 'token', 'timeoutMs', 'fetch');
    const { token, timeoutMs = 10_000, fetch } = options;
    if (fetch !== undefined && typeof fetch !== 'function') throw usage('`fetch` is a function like the platform’s.');
    if (!(Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 600_000)) throw usage('`timeoutMs` is 1 to 600,000.');
    const endpoint = new Endpoint(url, token);
    this.#terms = { endpoint, timeoutMs, fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)) };
  }

  /** Says something in a channel: any JSON, or a `Uint8Array` in a channel of bytes. It comes from nobody (`from` is `null`). */
  async publish<const Name extends string>(
    channel: Name & NameOf<Channels, Name>,
    data: DataOf<Channels, Name>,
    options: PublishOptions & Abortable = {},
  ): Promise<Published> {
    return this.#one(this.#calls.publish<Name>(channel, data, options), options);
  }

  /** A page of what was published: the newest, or before or after a position. */
  async history<const Name extends string>(
    channel: Name & NameOf<Channels, Name>,
    options: HistoryOptions & Abortable = {},
  ): Promise<History<DataOf<Channels, Name>>> {
    return this.#one(this.#calls.history<Name>(channel, options), options);
  }

  /** Who is in a channel. */
  async presence<const Name extends string>(channel: Name & NameOf<Channels, Name>, options: PresenceOptions & Abortable = {}): Promise<Presence> {
    return this.#one(this.#calls.presence<Name>(channel, options), options);
  }

  /** Takes tokens, sessions and grants back. It holds from the moment of the answer. */
  async revoke(what: Revocation, options: Abortable = {}): Promise<Revoked> {
    demandNames(options, 'signal');
    return this.#one(this.#calls.revoke(what), options);
  }

  /**
   * Makes 1 to 32 calls in one request. They are begun in their order, each for itself: one that fails stops no other, and is
   * told in its place.
   */
  async batch<const List extends readonly Call<unknown>[]>(make: (calls: Calls<Channels>) => List, options: Abortable = {}): Promise<Batched<List>> {
    demandNames(options, 'signal');
    const calls = typeof make === 'function' && make(this.#calls);
    if (!Array.isArray(calls) || calls.length < 1 || calls.length > batchCalls || calls.some((call) => typeof call?.params !== 'string')) throw usage(`A batch is a list of 1 to ${batchCalls} calls, as \`calls\` makes them.`);
    const answered = await exchange(this.#terms, `[${calls.map(written).join()}]`, options.signal);
    if (!Array.isArray(answered.value)) throw this.#refused(answered);
    const byId = new Map(answered.value.map((it: unknown) => [asRecord(it)?.id, it]));
    const { trace } = answered;
    return calls.map((call, id): Outcome<unknown> => {
      try {
        return { status: 'fulfilled', value: this.#read(call, id, { value: byId.get(id), trace }) };
      } catch (reason) {
        return { status: 'rejected', reason: reason as CallError | ConnectionError };
      }
    }) as Batched<List>;
  }

  async #one<Result>(call: Call<Result>, { signal }: Abortable): Promise<Result> {
    const answered = await exchange(this.#terms, written(call, 0), signal);
    return this.#read(call, 0, answered);
  }

  #read<Result>(call: Call<Result>, own: number, answered: Answered): Result {
    const { jsonrpc, id, result } = asRecord(answered.value) ?? {};
    const read = jsonrpc === '2.0' && id === own && result !== undefined ? call.read(result) : null;
    if (read === null) throw this.#refused(answered);
    return read;
  }

  /** Why there is no result. A server that takes a code of this side's is shown by its number. */
  #refused({ value, trace }: Answered): CallError | ConnectionError {
    const { endpoint } = this.#terms;
    const { code, message, data } = asRecord(asRecord(value)?.error) ?? {};
    if (typeof code !== 'number' || typeof message !== 'string') return new ConnectionError('malformed-answer', { trace });
    const known = readErrorData(data, (text) => endpoint.clean(text));
    const word = known === null || isLocal(known.word) ? `rpc${code}` : known.word;
    const retryAfterMs = known?.retryAfter === undefined ? null : Math.ceil(known.retryAfter * 1000);
    return new CallError(word, { title: endpoint.clean(message), rpc: code, data: known, retryAfterMs, trace });
  }
}

function written({ method, params }: Call<unknown>, id: number): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}`;
}
