/** The parameters of a call as the text that is sent: written once, so that a repeat says the same whatever changed since. */

import { demandFit, UsageError } from './error.js';
import { envelopeBytes, longestFrame } from './limits.js';

/** @throws UsageError for what is no JSON, or is larger than a message may be. */
export function encodeParams(params: object, maxMessageBytes: number): string {
  const text = encode(params);
  demandFit('params', text[0] === '{');
  if (new TextEncoder().encode(text).length > maxMessageBytes - envelopeBytes) throw new UsageError('message-too-large');
  return text;
}

/** What is published: bytes as base64 (RFC 4648 §4), all else as JSON. */
export function payload(data: unknown): { readonly base64: string } | { readonly data: unknown } {
  if (!(data instanceof Uint8Array)) {
    encode(data);
    return { data };
  }
  // Before much is made of much.
  if (data.length > longestFrame) throw new UsageError('message-too-large');
  return { base64: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join('')) };
}

function encode(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
    // Bytes of another kind, a `Map`, an error, a promise: told as an empty object they were lost.
    if (text === '{}' && `${value}` !== '[object Object]') text = '';
  } catch {
    // A cycle, or what a `toJSON` throws.
  }
  if (!text) throw new UsageError('not-json');
  return text;
}
