/** What a page says of what went wrong. */

import { remedyFor, WardwireError } from '@wardwire/client';

import { place } from './dom.js';

/** Says it above the demo, or nothing any more. */
export function tell(text: string | null): void {
  const notice = place('notice');
  notice.hidden = text === null;
  notice.textContent = text;
}

/** What was wrong, where (RFC 6901), and what helps. */
export function why(error: unknown): string {
  if (!(error instanceof WardwireError)) return error instanceof Error ? error.message.replace(/\.?$/, '.') : 'nobody knows why.';
  const { code, data, retryAfterMs } = error;
  if (data?.pointer !== undefined) return `${code} at ${data.pointer === '' ? 'the whole' : data.pointer} (${data.keyword ?? '?'}). Change that place.`;
  if (retryAfterMs !== null) return `${code}. Wait ${retryAfterMs < 1000 ? `${Math.ceil(retryAfterMs)} ms` : `${(retryAfterMs / 1000).toFixed(1)} s`}.`;
  return `${code}. ${remedyFor(error)}`;
}
