/** Who is in a channel. A function and no method, so that who never asks carries none of it. */

import type { Channel } from './channel.js';
import type { Abortable } from './emitter.js';
import { demandFit } from './error.js';
import { fieldsOf, isCount, isFlag, type Member, must, readMembers } from './frames.js';
import { withDefaults } from './platform.js';

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

export interface PresenceOptions extends Abortable {
  /** Only how many. */
  readonly countOnly?: boolean;
}

/**
 * Who is here. What `joined` and `left` told while this was under way is newer than the answer: apply it again on top of that.
 */
export async function presence<Data>(channel: Channel<Data>, options: PresenceOptions = {}): Promise<Presence> {
  const { signal, countOnly } = withDefaults<PresenceOptions>(options, { countOnly: undefined, signal: undefined });
  demandFit('countOnly', isFlag(countOnly ?? false));
  return channel.ask('presence', { countOnly }, readPresence, signal);
}

function readPresence(result: unknown): Presence {
  const { count, anonymous = 0, members = [], truncated } = fieldsOf(result);
  return {
    count: must(isCount, count),
    anonymous: must(isCount, anonymous),
    members: readMembers(members),
    truncated: truncated === true,
  };
}
