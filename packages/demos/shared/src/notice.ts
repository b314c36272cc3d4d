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
  if (!(error instanceof WardwireError)) return 'nobody knows why.';
  const { pointer, keyword } = error.data ?? {};
  const where = pointer === undefined ? '' : ` at ${pointer === '' ? 'the whole' : pointer}`;
  return `${error.code}${where}${keyword === undefined ? '' : ` (${keyword})`}. ${remedyFor(error)}`;
}
