/**
 * Frames of `wardwire.v1` (JSON-RPC 2.0), read defensively.
 *
 * Whatever is not exactly what the protocol promises reads as `null`, and the caller ends the connection. Members are
 * looked up as own properties only and never merged into other objects, so that a `__proto__` in a frame is plain data.
 */

import type { ErrorData } from './protocol.js';

/** One message of a channel. */
export interface Publication {
  readonly channel: string;
  /** What was published: any JSON. Never trust it as HTML. */
  readonly data: unknown;
  /** Where it stands in its channel, `epoch:offset`. */
  readonly position: string;
  /** Who published it, as the server knows them; `null` for an anonymous publisher. */
  readonly from: string | null;
}

/** The answer to `subscribe`. */
export interface Subscribed {
  readonly position: string;
  /** Whether everything since the asked-for position is in `publications`. */
  readonly recovered: boolean;
  readonly publications: readonly Publication[];
}

/** A frame from the server. */
export type Frame =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  /** `id` is `null` where the server could not read which request it was (JSON-RPC 2.0 §5). */
  | { readonly kind: 'error'; readonly id: number | null; readonly code: number; readonly message: string; readonly data: Partial<ErrorData> }
  | { readonly kind: 'publication'; readonly publication: Publication }
  | { readonly kind: 'expiring'; readonly expiresAt: number }
  /** A notification that this version does not know. */
  | { readonly kind: 'unknown'; readonly method: string };

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

/** Reads the result of `subscribe`; `null` where it is malformed. */
export function readSubscribed(result: unknown, channel: string): Subscribed | null {
  const fields = asRecord(result);
  if (fields === null || own(fields, 'channel') !== channel) return null;
  const position = own(fields, 'position');
  const recovered = own(fields, 'recovered');
  const list = own(fields, 'publications') ?? [];
  if (!isPosition(position) || typeof recovered !== 'boolean' || !Array.isArray(list)) return null;
  const publications = list.map((item) => readPublication(item, channel));
  return publications.every((item) => item !== null) ? { position, recovered, publications } : null;
}

/** Reads the result of `publish`. */
export function readPosition(result: unknown): string | null {
  const position = asRecord(result) && own(result as Record<string, unknown>, 'position');
  return isPosition(position) ? position : null;
}

/** Reads an expiry, in seconds since the epoch, as milliseconds since the epoch. */
export function readExpiry(fields: unknown): number | null {
  const seconds = asRecord(fields) && own(fields as Record<string, unknown>, 'expires_at');
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : null;
}

/** Whether `position` comes after `last`; positions of different epochs cannot be compared and count as new. */
export function isNewer(position: string, last: string | null): boolean {
  if (last === null) return true;
  const [epoch, offset] = split(position);
  const [lastEpoch, lastOffset] = split(last);
  return epoch !== lastEpoch || offset > lastOffset;
}

/** An object that JSON made, by its own members only. */
export function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

/** An own member; `undefined` where there is none, whatever the prototype says. */
export function own(record: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function readError(id: unknown, fields: Record<string, unknown> | null): Frame | null {
  const code = fields && own(fields, 'code');
  const message = fields && own(fields, 'message');
  if ((typeof id !== 'number' && id !== null) || typeof code !== 'number' || typeof message !== 'string') return null;
  return { kind: 'error', id, code, message, data: readErrorData(own(fields as Record<string, unknown>, 'data')) };
}

/** What of it is as promised; an error without it is one all the same. */
function readErrorData(value: unknown): Partial<ErrorData> {
  const fields = asRecord(value) ?? {};
  const { word, pointer, keyword, retryAfter } = Object.fromEntries(
    ['word', 'pointer', 'keyword', 'retryAfter'].map((name) => [name, own(fields, name)]),
  );
  return {
    ...(typeof word === 'string' ? { word } : {}),
    ...(typeof pointer === 'string' ? { pointer } : {}),
    ...(typeof keyword === 'string' ? { keyword } : {}),
    ...(typeof retryAfter === 'number' && retryAfter > 0 ? { retryAfter } : {}),
  };
}

function readNotification(method: string, params: unknown): Frame | null {
  switch (method) {
    case 'publication': {
      const fields = asRecord(params);
      const channel = fields && own(fields, 'channel');
      const publication = typeof channel === 'string' ? readPublication(fields, channel) : null;
      return publication && { kind: 'publication', publication };
    }
    case 'expiring': {
      const expiresAt = readExpiry(params);
      return expiresAt === null ? null : { kind: 'expiring', expiresAt };
    }
    default:
      return { kind: 'unknown', method };
  }
}

function readPublication(value: unknown, channel: string): Publication | null {
  const fields = asRecord(value);
  if (fields === null || !Object.hasOwn(fields, 'data')) return null;
  const position = own(fields, 'position');
  const from = own(fields, 'from') ?? null;
  if (!isPosition(position) || (from !== null && typeof from !== 'string')) return null;
  return { channel, data: fields['data'], position, from };
}

function parse(text: unknown): unknown {
  if (typeof text !== 'string') return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isPosition(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}:[0-9]{1,20}$/.test(value);
}

function split(position: string): [epoch: string, offset: bigint] {
  const at = position.lastIndexOf(':');
  return [position.slice(0, at), BigInt(position.slice(at + 1))];
}
