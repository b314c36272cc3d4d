/** What the server answers to calls, read as defensively as its frames: what is not what was promised throws. */

import { demand, fieldsOf, isFlag, isPosition, must, type Publication, readPublications } from './frames.js';

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

export function readSubscribed(result: unknown, asked: string): Subscribed {
  const { channel, position, recovered, publications = [] } = fieldsOf(result);
  demand(channel === asked);
  return {
    position: must(isPosition, position),
    recovered: must(isFlag, recovered),
    publications: readPublications(publications, asked),
  };
}

export function readPublished(result: unknown): Published {
  const { position, duplicate } = fieldsOf(result);
  return { position: must(isPosition, position), duplicate: duplicate === true };
}
