/** What the server answers, read defensively: `null` where it is not what was promised. Members that are not known are passed over. */

import type { ErrorData } from './error.js';

/** The answer to `publish`. */
export interface Published {
  /** Where it stands in its channel. */
  readonly position: string;
  /** It had been published before under the same id, and was not again. */
  readonly duplicate: boolean;
}

/** One message of a channel. */
export interface Publication<Data = unknown> {
  /** What was published: any JSON, or a `Uint8Array`. Never trust it as HTML. */
  readonly data: Data;
  /** Where it stands in its channel, `epoch:offset`. */
  readonly position: string;
  /** Who published it, as the server knows them; `null` for a backend or somebody anonymous. */
  readonly from: string | null;
  /** The publisher's own id of it; `null` without one. */
  readonly id: string | null;
}

/** A page of a channel's history. */
export interface History<Data = unknown> {
  /** Oldest first. */
  readonly publications: readonly Publication<Data>[];
  /** The channel's end. Further pages go on at a publication's own position: `before` the first of these, or `after` the last. */
  readonly position: string;
  /** There are further ones in that direction. */
  readonly more: boolean;
  /** `false`: something is missing, for it was not kept that long or the channel began anew. */
  readonly complete: boolean;
}

/** Somebody in a channel. All sockets of one user are one member. */
export interface Member {
  readonly from: string;
  /** What the configuration lets others see of them. */
  readonly info: ReadonlyMap<string, string | number | boolean>;
}

/** Who is in a channel. */
export interface Presence {
  /** Users; all sockets of one user count once. */
  readonly count: number;
  /** Sockets of nobody in particular, which are never listed. */
  readonly anonymous: number;
  readonly members: readonly Member[];
  /** There are more than were named. */
  readonly truncated: boolean;
}

/** The answer to `revoke`. */
export interface Revoked {
  /** How many sockets that ended. */
  readonly ended: number;
}

/** Members that are looked at. */
type Fields = {
  readonly [Name in
    | ('jsonrpc' | 'id' | 'result' | 'error' | 'code' | 'message' | 'title')
    | ('word' | 'pointer' | 'keyword' | 'retryAfter' | 'position' | 'duplicate' | 'publications' | 'more' | 'complete')
    | ('data' | 'base64' | 'from' | 'count' | 'anonymous' | 'members' | 'truncated' | 'info' | 'ended')]?: unknown;
};

export function readPublished(result: unknown): Published | null {
  const { position, duplicate } = asRecord(result) ?? {};
  return isPosition(position) ? { position, duplicate: duplicate === true } : null;
}

export function readHistory(result: unknown): History | null {
  const { position, more, complete, publications } = asRecord(result) ?? {};
  const list = readList(publications, readPublication);
  if (!isPosition(position) || typeof more !== 'boolean' || typeof complete !== 'boolean') return null;
  return list && { publications: list, position, more, complete };
}

export function readPresence(result: unknown): Presence | null {
  const { count, anonymous = 0, members = [], truncated } = asRecord(result) ?? {};
  const list = readList(members, readMember);
  return isCount(count) && isCount(anonymous) && list ? { count, anonymous, members: list, truncated: truncated === true } : null;
}

export function readRevoked(result: unknown): Revoked | null {
  const { ended } = asRecord(result) ?? {};
  return isCount(ended) ? { ended } : null;
}

/** What helps is taken, all else left: an error is not the place to be strict in. */
export function readErrorData(value: unknown, clean: (text: string) => string): ErrorData | null {
  const { word, pointer, keyword, retryAfter } = asRecord(value) ?? {};
  const name = isWord(word) ? clean(word) : null;
  if (!isWord(name)) return null;
  return {
    word: name,
    ...(typeof pointer === 'string' && { pointer: clean(pointer) }),
    ...(typeof keyword === 'string' && { keyword: clean(keyword) }),
    ...(typeof retryAfter === 'number' && retryAfter >= 0 && { retryAfter: Math.min(retryAfter, 86_400) }),
  };
}

/** The members of an object that JSON made, in an object without a prototype: what is not there is `undefined`, whatever others put into prototypes. */
export function asRecord(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? ({ __proto__: null, ...value } as Fields) : null;
}

/** A stable code or word. */
export function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value);
}

export function isPosition(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}:[0-9]{1,20}$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function readPublication(value: unknown): Publication | null {
  const { position, from = null, id = null, data, base64 } = asRecord(value) ?? {};
  if (!isPosition(position) || (from !== null && typeof from !== 'string') || (id !== null && typeof id !== 'string')) return null;
  // Exactly one of the two.
  if ((data === undefined) === (base64 === undefined)) return null;
  const read = data === undefined ? fromBase64(base64) : data;
  return read === undefined ? null : { data: read, position, from, id };
}

function readMember(value: unknown): Member | null {
  const { from, info } = asRecord(value) ?? {};
  if (typeof from !== 'string') return null;
  const plain = Object.entries(asRecord(info) ?? {}).filter(
    (entry): entry is [string, string | number | boolean] => ['string', 'number', 'boolean'].includes(typeof entry[1]),
  );
  return { from, info: new Map(plain) };
}

/** Reads base64 with padding (RFC 4648 §4). */
function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function readList<T>(list: unknown, read: (item: unknown) => T | null): readonly T[] | null {
  if (!Array.isArray(list)) return null;
  const items = list.map(read);
  return items.every((item): item is Awaited<T> & T => item !== null) ? items : null;
}
