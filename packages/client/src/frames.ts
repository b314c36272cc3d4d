/**
 * Frames of `wardwire.v1` (JSON-RPC 2.0), read defensively.
 *
 * Whatever is not exactly what the protocol promises reads as `null`, and the caller ends the connection. Members are
 * looked up as own properties only and never merged into other objects, so that a `__proto__` in a frame is plain data.
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

type Fields = Record<string, unknown>;

/** Reads one text frame; `null` where it is malformed. */
export function readFrame(text: unknown): Frame | null {
  const frame = asRecord(parse(text));
  if (frame === null || own(frame, 'jsonrpc') !== '2.0') return null;
  const method = own(frame, 'method');
  if (method !== undefined) return typeof method === 'string' ? readNotification(method, own(frame, 'params')) : null;
  const id = own(frame, 'id');
  if (Object.hasOwn(frame, 'error')) return readError(id, asRecord(frame['error']));
  return typeof id === 'number' && Object.hasOwn(frame, 'result') ? { kind: 'result', id, result: frame['result'] } : null;
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
  const fields = asRecord(value);
  const seconds = fields && own(fields, 'expires_at');
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

/** A count of something. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** An object that JSON made, by its own members only. */
export function asRecord(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** An own member; `undefined` where there is none, whatever the prototype says. */
export function own(record: Fields, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function readError(id: unknown, fields: Fields | null): Frame | null {
  const code = fields && own(fields, 'code');
  const message = fields && own(fields, 'message');
  if ((typeof id !== 'number' && id !== null) || typeof code !== 'number' || typeof message !== 'string') return null;
  return { kind: 'error', id, code, message: message.slice(0, 500), data: readErrorData(fields && own(fields, 'data')) };
}

/** What helps is taken, all else left: an error is not the place to be strict in. */
function readErrorData(value: unknown): ErrorData | null {
  const fields = asRecord(value);
  const word = fields && own(fields, 'word');
  if (fields === null || typeof word !== 'string' || !/^[a-z][a-z0-9-]{0,63}$/.test(word)) return null;
  const [pointer, keyword, retryAfter] = ['pointer', 'keyword', 'retryAfter'].map((name) => own(fields, name));
  return {
    word,
    ...(typeof pointer === 'string' ? { pointer: pointer.slice(0, 1000) } : {}),
    ...(typeof keyword === 'string' ? { keyword: keyword.slice(0, 100) } : {}),
    ...(typeof retryAfter === 'number' && retryAfter >= 0 ? { retryAfter: Math.min(retryAfter, 86_400) } : {}),
  };
}

function readNotification(method: string, params: unknown): Frame | null {
  const fields = asRecord(params);
  if (method === 'expiring') {
    const expiresAt = readExpiry(fields);
    return expiresAt === null ? null : { kind: 'expiring', expiresAt };
  }
  if (!['publication', 'joined', 'left', 'revoked', 'lagged'].includes(method)) return { kind: 'unknown', method };
  const channel = fields && own(fields, 'channel');
  if (fields === null || typeof channel !== 'string') return null;
  switch (method) {
    case 'publication': {
      const publication = readPublication(fields, channel);
      return publication && { kind: 'publication', publication };
    }
    case 'revoked': {
      const reason = own(fields, 'reason');
      // Today `rights` or `grant`; a further word is no reason to leave.
      return typeof reason === 'string' && /^[a-z-]{1,64}$/.test(reason) ? { kind: 'revoked', channel, reason } : null;
    }
    case 'lagged': {
      const position = own(fields, 'position');
      return isPosition(position) ? { kind: 'lagged', channel, position } : null;
    }
    default: {
      const change = readChange(fields);
      return change && { kind: method as 'joined' | 'left', channel, change };
    }
  }
}

function readChange(fields: Fields): Change | null {
  const count = own(fields, 'count');
  const members = readMembers(own(fields, 'members') ?? []);
  return isCount(count) && members !== null ? { count, members, truncated: own(fields, 'truncated') === true } : null;
}

function readMember(value: unknown): Member | null {
  const fields = asRecord(value);
  const from = fields && own(fields, 'from');
  if (fields === null || typeof from !== 'string') return null;
  const info = Object.entries(asRecord(own(fields, 'info')) ?? {});
  const plain = info.filter((entry): entry is [string, string | number | boolean] => ['string', 'number', 'boolean'].includes(typeof entry[1]));
  return { from, info: new Map(plain) };
}

function readPublication(value: unknown, channel: string): Publication | null {
  const fields = asRecord(value);
  if (fields === null) return null;
  const position = own(fields, 'position');
  const from = own(fields, 'from') ?? null;
  const id = own(fields, 'id') ?? null;
  if (!isPosition(position) || (from !== null && typeof from !== 'string') || (id !== null && typeof id !== 'string')) return null;
  // Exactly one of the two.
  if (Object.hasOwn(fields, 'data') === Object.hasOwn(fields, 'base64')) return null;
  const data = Object.hasOwn(fields, 'data') ? fields['data'] : fromBase64(fields['base64']);
  return data === undefined ? null : { channel, data, position, from, id };
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
