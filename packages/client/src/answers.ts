/** What the server answers to calls, read as defensively as its frames: `null` where it is not what was promised. */

import { asRecord, isPosition, type Publication, readPublications } from './frames.js';

/** The answer to `subscribe`. */
export interface Subscribed {
  readonly position: string;
  /** Whether everything since the asked-for position is in `publications`. */
  readonly recovered: boolean;
  readonly publications: readonly Publication[];
}

/** The answer to `publish`. */
export interface Published {
  /** Where it stands in its channel. */
  readonly position: string;
  /** It had been published before under the same id, and was not again. */
  readonly duplicate: boolean;
}

export function readSubscribed(result: unknown, channel: string): Subscribed | null {
  const fields = asRecord(result) ?? {};
  const { position, recovered } = fields;
  const publications = readPublications(fields.publications ?? [], channel);
  if (fields.channel !== channel || !isPosition(position) || typeof recovered !== 'boolean') return null;
  return publications && { position, recovered, publications };
}

export function readPublished(result: unknown): Published | null {
  const { position, duplicate } = asRecord(result) ?? {};
  return isPosition(position) ? { position, duplicate: duplicate === true } : null;
}
