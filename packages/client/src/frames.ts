/**
 * Frames of `wardwire.v1` (JSON-RPC 2.0), read defensively.
 *
 * Whatever is not exactly what the protocol promises throws, and whoever had it read ends the connection. Members are
 * read out of objects without a prototype, so that a `__proto__` in a frame is plain data.
 */

import { longestFrame } from './limits.js';
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

/** What a server tells unasked of a channel. */
export type Told =
  | { readonly kind: 'publication'; readonly channel: string; readonly event: Publication }
  | { readonly kind: 'joined' | 'left'; readonly channel: string; readonly event: Change }
  | { readonly kind: 'lagged'; readonly channel: string; readonly event: { readonly position: string } }
  | { readonly kind: 'revoked'; readonly channel: string; readonly event: ErrorData };

/** What a server tells unasked. */
export type Notification =
  | Told
  | { readonly kind: 'expiring'; readonly expiresAt: number }
  /** A notification that this version does not know. */
  | { readonly kind: 'unknown' };

/** A frame from the server. */
export type Frame =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  /** With an id always: a server that could not read whose request it was (JSON-RPC 2.0 §5) was sent something else than what this side sends. */
  | { readonly kind: 'error'; readonly id: number; readonly code: number; readonly message: string; readonly data: ErrorData | null }
  /** Whose the socket is. */
  | { readonly kind: 'welcome'; readonly handle: string }
  | Notification;

/** Members that this side knows; of each it is yet to be seen whether it is what was promised. */
export type Fields = {
  readonly [Name in
    | ('jsonrpc' | 'id' | 'method' | 'params' | 'result' | 'error' | 'code' | 'message' | 'title')
    | ('word' | 'pointer' | 'keyword' | 'retryAfter' | 'ticket' | 'handle' | 'expires_at' | 'reason')
    | ('channel' | 'data' | 'base64' | 'position' | 'from' | 'recovered' | 'duplicate' | 'publications')
    | ('more' | 'complete' | 'count' | 'anonymous' | 'members' | 'truncated' | 'info')]?: unknown;
};

/** Reads one text frame. */
export function readFrame(text: unknown): Frame {
  demand(isText(text) && text.length <= longestFrame);
  const { jsonrpc, id, method, params, result, error } = fieldsOf(JSON.parse(text));
  demand(jsonrpc === '2.0');
  if (method !== undefined) return readNotification(must(isText, method), fieldsOf(params));
  demand(isNumber(id));
  if (error === undefined) {
    demand(result !== undefined);
    return { kind: 'result', id, result };
  }
  const { code, message, data } = fieldsOf(error);
  return { kind: 'error', id, code: must(isNumber, code), message: must(isText, message).slice(0, 500), data: readErrorData(data) };
}

/** Reads publications, those of an answer without their channel. */
export function readPublications(list: unknown, channel: string): readonly Publication[] {
  return must<unknown[]>(Array.isArray, list).map((item) => readPublication(item, channel));
}

export function readMembers(list: unknown): readonly Member[] {
  return must<unknown[]>(Array.isArray, list).map(readMember);
}

/** Reads an expiry, in seconds since the epoch, as milliseconds since the epoch. */
export function readExpiry(value: unknown): number {
  return must(isNumber, fieldsOf(value).expires_at) * 1000;
}

/** Whether `position` comes after `last`; positions of different epochs cannot be compared and count as new. */
export function isNewer(position: string, last = ':'): boolean {
  const [epoch, offset] = position.split(':') as [string, string];
  const [lastEpoch, lastOffset] = last.split(':') as [string, string];
  return epoch !== lastEpoch || BigInt(offset) > BigInt(lastOffset);
}

/** @throws what no application sees, at what is not as promised. */
export function demand(holds: boolean): asserts holds {
  if (!holds) throw new Error();
}

/** `value`, as what it must be. */
export function must<T>(is: (value: unknown) => value is T, value: unknown): T {
  demand(is(value));
  return value as T;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isPosition(value: unknown): value is string {
  return isText(value) && /^[\w-]{1,64}:\d{1,20}$/.test(value);
}

/** A stable code or word. */
export function isWord(value: unknown): value is string {
  return isText(value) && /^[a-z][a-z0-9-]{0,63}$/.test(value);
}

/** What may be a token, and has no way out of a header. */
export function isVisible(value: unknown): value is string {
  return isText(value) && /^[!-~]+$/.test(value);
}

export function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

/** A count of something. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A number that JSON wrote; one too large for it reads as infinite. */
const isNumber = Number.isFinite as (value: unknown) => value is number;

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

/** The members of an object that JSON made, in an object without a prototype: what is not there is `undefined`, whatever others put into prototypes. Anything else has none. */
export function fieldsOf(value: unknown): Fields {
  return { __proto__: null, ...(typeof value === 'object' && !Array.isArray(value) && value) } as Fields;
}

/** What helps is taken, all else left: an error is not the place to be strict in. */
function readErrorData(value: unknown): ErrorData | null {
  const { word, pointer, keyword, retryAfter } = fieldsOf(value);
  if (!isWord(word)) return null;
  return {
    word,
    ...(isText(pointer) && { pointer }),
    ...(isText(keyword) && { keyword }),
    ...(isNumber(retryAfter) && retryAfter >= 0 && { retryAfter: Math.min(retryAfter, 86_400) }),
  };
}

function readNotification(kind: string, fields: Fields): Frame {
  if (kind === 'welcome') return { kind, handle: must(isText, fields.handle) };
  if (kind === 'expiring') return { kind, expiresAt: readExpiry(fields) };
  const read = readers[kind];
  if (!read) return { kind: 'unknown' };
  const channel = must(isText, fields.channel);
  return { kind, channel, event: read(fields, channel) } as Told;
}

/** How to read what is told of a channel. */
const readers: { readonly [kind: string]: ((fields: Fields, channel: string) => Told['event']) | null | undefined } = {
  __proto__: null,
  publication: readPublication,
  joined: readChange,
  left: readChange,
  lagged: ({ position }) => ({ position: must(isPosition, position) }),
  revoked: ({ reason }) => ({ word: must(isWord, reason) }),
};

function readChange({ count, members = [], truncated }: Fields): Change {
  return { count: must(isCount, count), members: readMembers(members), truncated: truncated === true };
}

function readMember(value: unknown): Member {
  const { from, info } = fieldsOf(value);
  // Of what JSON makes: objects, lists and `null` are left out.
  const plain = Object.entries(fieldsOf(info)).filter((entry): entry is [string, string | number | boolean] => typeof entry[1] !== 'object');
  return { from: must(isText, from), info: new Map(plain) };
}

function readPublication(value: unknown, channel: string): Publication {
  const { position, from = null, id = null, data, base64 } = fieldsOf(value);
  // Exactly one of the two.
  demand((data === undefined) !== (base64 === undefined));
  return {
    channel,
    data: data === undefined ? fromBase64(must(isText, base64)) : data,
    position: must(isPosition, position),
    from: must(isTextOrNull, from),
    id: must(isTextOrNull, id),
  };
}

/** Reads base64 as there is one way to write it (RFC 4648 §4); `atob` alone would pass over spaces and do without padding. */
function fromBase64(text: string): Uint8Array {
  const bytes = atob(text);
  demand(btoa(bytes) === text);
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}
