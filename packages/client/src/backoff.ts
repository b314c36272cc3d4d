/** How long to wait before the next attempt. */

import { longestWaitMs } from './limits.js';
import type { Platform } from './platform.js';

/** The shape of the waits. */
export interface Backoff {
  /** The first wait is drawn from [0, base], in milliseconds. */
  readonly baseMs: number;
  /** No wait is drawn from more than [0, cap], in milliseconds. */
  readonly capMs: number;
}

/** What waits are drawn by. */
export interface BackoffSettings extends Pick<Platform, 'random'> {
  readonly backoff: Backoff;
}

/** Half a second, doubling, to half a minute. */
export const defaultBackoff: Backoff = { baseMs: 500, capMs: 30_000 };

/**
 * Full jitter: uniform in [0, min(cap, base * 2^attempt)], on top of what the server asked for.
 *
 * After a restart every client is disconnected in the same second; drawing from the whole interval spreads their
 * return evenly, and adding it to `Retry-After` keeps them from all coming back at that very instant.
 */
export function waitMs({ backoff: { baseMs, capMs }, random }: BackoffSettings, attempt: number, retryAfterMs: number | null): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.min(longestWaitMs, (retryAfterMs ?? 0) + random() * ceiling);
}

/** Reads `Retry-After` (RFC 9110 §10.2.3): seconds, as the server writes it. A date, by whoever's clock, is as if nothing were said. */
export function readRetryAfter(value: string | null): number | null {
  return /^\d{1,9}$/.test(value as string) ? Number(value) * 1000 : null;
}
