/** The calls that a backend may make, each with what it takes and how its answer is read. What cannot be meant is refused here. */

import { type History, isPosition, type Presence, type Published, readHistory, readPresence, readPublished, readRevoked, type Revoked } from './answers.js';
import { toBase64 } from './base64.js';
import { isChannelName } from './channel-name.js';
import { demandNames, usage, UsageError } from './error.js';
import { requestBytes } from './exchange.js';
import type { AnyChannels, DataOf, NameOf } from './names.js';

/** A call that is not made yet. */
export interface Call<Result> {
  /** As the server calls it. */
  readonly method: 'publish' | 'history' | 'presence' | 'revoke';
  /** As JSON, written when the call was: what changes behind that changes nothing of it. */
  readonly params: string;
  /** Reads the answer; `null` where it is none. */
  readonly read: (result: unknown) => Result | null;
}

/** How something is published. */
export interface PublishOptions {
  /**
   * The message's own id, 1 to 64 printable characters of ASCII. Within five minutes one of a kind is published once, so that what
   * was not answered can be repeated.
   */
  readonly id?: string;
}

/** Which page of the history: the newest, unless one of the positions is given. */
export interface HistoryOptions {
  /** The newest before this position. */
  readonly before?: string;
  /** The oldest after this position. */
  readonly after?: string;
  /** 1 to 100; default 50. */
  readonly limit?: number;
}

/** What is asked of who follows a channel. */
export interface PresenceOptions {
  /** Only how many. */
  readonly countOnly?: boolean;
}

/**
 * What is taken back: one token, or one grant, by its `jti`; one session by its `sid`, or the name of a cookie session; what was
 * issued to one user, or by the issuer at all, up to `issuedBefore` (default: now).
 *
 * A name that is there but says nothing, as of a variable that is not set, is an error: it would take back the whole issuer.
 */
export type Revocation =
  | { readonly issuer: string; readonly token: string }
  | { readonly issuer: string; readonly session: string }
  | { readonly issuer: string; readonly subject: string; readonly issuedBefore?: Date }
  | { readonly issuer: string; readonly everything: true; readonly issuedBefore?: Date };

/** Makes calls, of which a batch is made. */
export class Calls<Channels = AnyChannels> {
  /** Publishes, in nobody's name: any JSON, or a `Uint8Array` on a binary channel. */
  publish<const Name extends string>(
    channel: Name & NameOf<Channels, Name>,
    data: DataOf<Channels, Name>,
    options: PublishOptions = {},
  ): Call<Published> {
    demandNames(options, 'id', 'signal');
    const { id } = options;
    if (id !== undefined && !(typeof id === 'string' && /^[\x21-\x7e]{1,64}$/.test(id))) throw usage('An id is 1 to 64 characters of printable ASCII.');
    // Before much is made of much.
    if ((data as unknown) instanceof Uint8Array && (data as Uint8Array).length > requestBytes) throw new UsageError('message-too-large');
    const payload = (data as unknown) instanceof Uint8Array ? `"base64":"${toBase64(data as Uint8Array)}"` : `"data":${encode(data)}`;
    const rest = encode({ channel: named(channel), id });
    return { method: 'publish', params: `${rest.slice(0, -1)},${payload}}`, read: readPublished };
  }

  /** Reads what is kept, oldest first. */
  history<const Name extends string>(
    channel: Name & NameOf<Channels, Name>,
    options: HistoryOptions = {},
  ): Call<History<DataOf<Channels, Name>>> {
    demandNames(options, 'before', 'after', 'limit', 'signal');
    const { before, after, limit } = options;
    if (before !== undefined && after !== undefined) throw usage('Either `before` or `after`, not both.');
    for (const position of [before, after]) {
      if (position !== undefined && !isPosition(position)) throw usage('A position is what an answer called one.');
    }
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= 100)) throw usage('A `limit` is 1 to 100.');
    const params = encode({ channel: named(channel), before, after, limit });
    return { method: 'history', params, read: readHistory as (result: unknown) => History<DataOf<Channels, Name>> | null };
  }

  /** Asks who follows a channel. */
  presence<const Name extends string>(channel: Name & NameOf<Channels, Name>, options: PresenceOptions = {}): Call<Presence> {
    demandNames(options, 'countOnly', 'signal');
    const { countOnly = false } = options;
    if (typeof countOnly !== 'boolean') throw usage('`countOnly` is true or false.');
    return { method: 'presence', params: encode({ channel: named(channel), countOnly }), read: readPresence };
  }

  /** Takes back what lets somebody in, and closes the sockets that stand on it. */
  revoke(what: Revocation): Call<Revoked> {
    return { method: 'revoke', params: encode(revocation(what)), read: readRevoked };
  }
}

/** What the server is told, member by member: there is one way to take back a whole issuer, and that is to say so. */
function revocation(what: Revocation): object {
  const given = Object(what) as { readonly issuer: unknown; readonly issuedBefore?: unknown } & Record<string, unknown>;
  const { issuer, issuedBefore, ...named } = given;
  const [[name, value] = ['', undefined], ...others] = Object.entries(named);
  if (others.length > 0 || !['token', 'session', 'subject', 'everything'].includes(name)) {
    throw usage('A revocation names one of `token`, `session`, `subject` and `everything: true`.');
  }
  if (!isName(issuer) || !(name === 'everything' ? value === true : isName(value))) {
    throw usage('A revocation says whose: none of its names may be empty or missing.');
  }
  if ('issuedBefore' in given && (name === 'token' || name === 'session')) throw usage('`issuedBefore` goes with `subject` or `everything`.');
  if ('issuedBefore' in given && !(issuedBefore instanceof Date && issuedBefore.getTime() >= 0)) throw usage('`issuedBefore` is a Date since 1970.');
  return {
    issuer,
    ...(name !== 'everything' && { [name]: value }),
    ...(issuedBefore instanceof Date && { issued_before: Math.floor(issuedBefore.getTime() / 1000) }),
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function named(channel: unknown): string {
  if (!isChannelName(channel)) throw usage('Not a channel name: non-empty segments between `/`, none of `* { } ? # % \\`, at most 255 bytes, in NFC.');
  return channel;
}

function encode(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch {
    // A cycle, or a BigInt.
  }
  if (text === undefined) throw new UsageError('not-json');
  return text;
}
