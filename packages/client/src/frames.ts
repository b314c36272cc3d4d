/**
 * Frames of `wardwire.v1` (JSON-RPC 2.0), read defensively.
 *
 * Whatever is not exactly what the protocol promises reads as `null`, and the caller ends the connection. Members are
 * read out of objects without a prototype, so that a `__proto__` in a frame is plain data.
 */

import type { ErrorData } from './protocol.js';

/** One message of a channel. */
export interface Publication<Data = unknown> {
  readonly channel: string;
  /** What was published: any JSON, or a `Uint8Array`. Never trust it as HTML. */
  readonly data: Data;
  /** Where it stands in its channel, `epoch:offset`. */
  readonly position: string;
  /** Who published it, as the server knows them; `null` for an anonymous publisher. */
  readonly from: string | null;
  /** The publisher's own id of it; `null` without one. */
  readonly id: string | null;
}

/** Somebody in a channel. All sockets of one user are one member. */
export interface Member {
  readonly from: string;
  /** What the configuration lets others see of them. */
  readonly info: ReadonlyMap<string, string | number | boolean>;
}

/** Who came or went, told at most once a second. */
export interface Change {
  /** Empty where `truncated`: more than a hundred at once are not named. */
  readonly members: readonly Member[];
  readonly truncated: boolean;
  /** How many users are in the channel now. */
  readonly count: number;
}

/** What a server tells unasked. */
export type Notification =
  | { readonly kind: 'publication'; readonly publication: Publication }
  | { readonly kind: 'joined' | 'left'; readonly channel: string; readonly change: Change }
  | { readonly kind: 'revoked'; readonly channel: string; readonly reason: string }
  | { readonly kind: 'lagged'; readonly channel: string; readonly position: string }
  | { readonly kind: 'expiring'; readonly expiresAt: number }
  /** A notification that this version does not know. */
  | { readonly kind: 'unknown'; readonly method: string };

/** A frame from the server. */
export type Frame =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  /** `id` is `null` where the server could not read which request it was (JSON-RPC 2.0 §5). */
  | { readonly kind: 'error'; readonly id: number | null; readonly code: number; readonly message: string; readonly data: ErrorData | null }
  | Notification;

/** Members that this side knows; of each it is yet to be seen whether it is what was promised. */
export type Fields = {
  readonly [Name in
    | ('jsonrpc' | 'id' | 'method' | 'params' | 'result' | 'error' | 'code' | 'message' | 'title')
    | ('word' | 'pointer' | 'keyword' | 'retryAfter' | 'ticket' | 'handle' | 'expires_at' | 'reason')
    | ('channel' | 'data' | 'base64' | 'position' | 'from' | 'recovered' | 'duplicate' | 'publications')
    | ('more' | 'complete' | 'count' | 'anonymous' | 'members' | 'truncated' | 'info')]?: unknown;
};

/** Reads one text frame; `null` where it is malformed. */
export function readFrame(text: unknown): Frame | null {
  const { jsonrpc, id, method, params, result, error } = asRecord(parse(text)) ?? {};
  if (jsonrpc !== '2.0') return null;
  if (method !== undefined) return typeof method === 'string' ? readNotification(method, asRecord(params) ?? {}) : null;
  if (error !== undefined) return readError(id, asRecord(error) ?? {});
  return typeof id === 'number' && result !== undefined ? { kind: 'result', id, result } : null;
}

/** Reads publications, those of an answer without their channel. */
export function readPublications(list: unknown, channel: string): readonly Publication[] | null {
  return readList(list, (item) => readPublication(item, channel));
}

/** Reads members; more than a server may name are malformed. */
export function readMembers(list: unknown): readonly Member[] | null {
  return readList(list, readMember);
}

/** Reads an expiry, in seconds since the epoch, as milliseconds since the epoch. */
export function readExpiry(value: unknown): number | null {
  const seconds = asRecord(value)?.expires_at;
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : null;
}

/** Whether `position` comes after `last`; positions of different epochs cannot be compared and count as new. */
export function isNewer(position: string, last: string | null): boolean {
  if (last === null) return true;
  const [epoch, offset] = split(position);
  const [lastEpoch, lastOffset] = split(last);
  return epoch !== lastEpoch || offset > lastOffset;
}

export function isPosition(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}:[0-9]{1,20}$/.test(value);
}

/** A stable code or word. */
export function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value);
}

/** A count of something. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The members of an object that JSON made, in an object without a prototype: what is not there is `undefined`, whatever others put into prototypes. */
export function asRecord(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? ({ __proto__: null, ...value } as Fields) : null;
}

function readError(id: unknown, { code, message, data }: Fields): Frame | null {
  if ((typeof id !== 'number' && id !== null) || typeof code !== 'number' || typeof message !== 'string') return null;
  return { kind: 'error', id, code, message: message.slice(0, 500), data: readErrorData(data) };
}

/** What helps is taken, all else left: an error is not the place to be strict in. */
function readErrorData(value: unknown): ErrorData | null {
  const { word, pointer, keyword, retryAfter } = asRecord(value) ?? {};
  if (!isWord(word)) return null;
  return {
    word,
    ...(typeof pointer === 'string' && { pointer: pointer.slice(0, 1000) }),
    ...(typeof keyword === 'string' && { keyword: keyword.slice(0, 100) }),
    ...(typeof retryAfter === 'number' && retryAfter >= 0 && { retryAfter: Math.min(retryAfter, 86_400) }),
  };
}

function readNotification(method: string, fields: Fields): Frame | null {
  const { channel, position, reason } = fields;
  if (method === 'expiring') {
    const expiresAt = readExpiry(fields);
    return expiresAt === null ? null : { kind: method, expiresAt };
  }
  if (!['publication', 'joined', 'left', 'revoked', 'lagged'].includes(method)) return { kind: 'unknown', method };
  if (typeof channel !== 'string') return null;
  switch (method) {
    case 'publication': {
      const publication = readPublication(fields, channel);
      return publication && { kind: method, publication };
    }
    case 'revoked':
      return isWord(reason) ? { kind: method, channel, reason } : null;
    case 'lagged':
      return isPosition(position) ? { kind: method, channel, position } : null;
    default: {
      const change = readChange(fields);
      return change && { kind: method as 'joined' | 'left', channel, change };
    }
  }
}

function readChange({ count, members = [], truncated }: Fields): Change | null {
  const list = readMembers(members);
  return isCount(count) && list ? { count, members: list, truncated: truncated === true } : null;
}

function readMember(value: unknown): Member | null {
  const { from, info } = asRecord(value) ?? {};
  if (typeof from !== 'string') return null;
  const plain = Object.entries(asRecord(info) ?? {}).filter(
    (entry): entry is [string, string | number | boolean] => ['string', 'number', 'boolean'].includes(typeof entry[1]),
  );
  return { from, info: new Map(plain) };
}

function readPublication(value: unknown, channel: string): Publication | null {
  const { position, from = null, id = null, data, base64 } = asRecord(value) ?? {};
  if (!isPosition(position) || (from !== null && typeof from !== 'string') || (id !== null && typeof id !== 'string')) return null;
  // Exactly one of the two.
  if ((data === undefined) === (base64 === undefined)) return null;
  const read = data === undefined ? fromBase64(base64) : data;
  return read === undefined ? null : { channel, data: read, position, from, id };
}

/** Reads base64 with padding (RFC 4648 §4). */
function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function readList<T>(list: unknown, read: (item: unknown) => T | null): readonly T[] | null {
  if (!Array.isArray(list)) return null;
  const items = list.map(read);
  return items.every((item): item is Awaited<T> & T => item !== null) ? items : null;
}

function parse(text: unknown): unknown {
  if (typeof text !== 'string') return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function split(position: string): [epoch: string, offset: bigint] {
  const at = position.lastIndexOf(':');
  return [position.slice(0, at), BigInt(position.slice(at + 1))];
}
