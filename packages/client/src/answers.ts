/** What the server answers to calls, read as defensively as its frames: `null` where it is not what was promised. */

import { asRecord, isCount, isPosition, type Member, own, type Publication, readMembers, readPublications } from './frames.js';

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

/** A page of a channel's history. */
export interface History<Data = unknown> {
  /** Oldest first. */
  readonly publications: readonly Publication<Data>[];
  /** The end of this page: `after` of the next. */
  readonly position: string;
  /** There are further ones in that direction. */
  readonly more: boolean;
  /** `false`: something is missing, for it was not kept that long or the channel began anew. */
  readonly complete: boolean;
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

export function readSubscribed(result: unknown, channel: string): Subscribed | null {
  const fields = asRecord(result);
  if (fields === null || own(fields, 'channel') !== channel) return null;
  const position = own(fields, 'position');
  const recovered = own(fields, 'recovered');
  const publications = readPublications(own(fields, 'publications') ?? [], channel);
  return isPosition(position) && typeof recovered === 'boolean' && publications ? { position, recovered, publications } : null;
}

export function readPublished(result: unknown): Published | null {
  const fields = asRecord(result);
  const position = fields && own(fields, 'position');
  return fields && isPosition(position) ? { position, duplicate: own(fields, 'duplicate') === true } : null;
}

export function readHistory(result: unknown, channel: string): History | null {
  const fields = asRecord(result);
  if (fields === null) return null;
  const [position, more, complete] = ['position', 'more', 'complete'].map((name) => own(fields, name));
  const publications = readPublications(own(fields, 'publications'), channel);
  if (!isPosition(position) || typeof more !== 'boolean' || typeof complete !== 'boolean' || publications === null) return null;
  return { publications, position, more, complete };
}

export function readPresence(result: unknown): Presence | null {
  const fields = asRecord(result);
  if (fields === null) return null;
  const [count, anonymous] = [own(fields, 'count'), own(fields, 'anonymous') ?? 0];
  const members = readMembers(own(fields, 'members') ?? []);
  if (!isCount(count) || !isCount(anonymous) || members === null) return null;
  return { count, anonymous, members, truncated: own(fields, 'truncated') === true };
}
