/** What was published in a channel, page by page. A function and no method, so that who reads none carries none of it. */

import type { Channel } from './channel.js';
import type { Abortable } from './emitter.js';
import { demandFit } from './error.js';
import { fieldsOf, isCount, isFlag, isPosition, must, type Publication, readPublications } from './frames.js';
import { withDefaults } from './platform.js';

/** A page of a channel's history. */
export interface History<Data = unknown> {
  /** Oldest first. */
  readonly publications: readonly Publication<Data>[];
  /** The channel's end. Further pages go on at a publication's own position: `before` the first of these, or `after` the last. */
  readonly position: string;
  /** There are further ones in that direction. */
  readonly more: boolean;
  /** `false`: something is missing, for it was not kept that long or the channel began anew. */
  readonly complete: boolean;
}

export interface HistoryOptions extends Abortable {
  /** The newest before this position. */
  readonly before?: string;
  /** The oldest after this position. */
  readonly after?: string;
  /** 1 to 100; default 50. */
  readonly limit?: number;
}

/** A page of what was published: the newest, or before or after a position. */
export async function history<Data>(channel: Channel<Data>, options: HistoryOptions = {}): Promise<History<Data>> {
  const { signal, before, after, limit } = withDefaults<HistoryOptions>(options, { before: undefined, after: undefined, limit: undefined, signal: undefined });
  demandFit('before', before === undefined || (isPosition(before) && after === undefined));
  demandFit('after', after === undefined || isPosition(after));
  demandFit('limit', limit === undefined || (isCount(limit) && limit >= 1 && limit <= 100));
  return (await channel.ask('history', { before, after, limit }, (result) => readHistory(result, channel.name), signal)) as History<Data>;
}

function readHistory(result: unknown, channel: string): History {
  const { position, more, complete, publications } = fieldsOf(result);
  return {
    publications: readPublications(publications, channel),
    position: must(isPosition, position),
    more: must(isFlag, more),
    complete: must(isFlag, complete),
  };
}
