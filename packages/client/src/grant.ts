/** Following by grants that end. A function and no method, so that who never needs one carries none of it. */

import type { Channel, SubscriptionStart } from './channel.js';
import { type Abortable, report, type Unsubscribe } from './emitter.js';
import { demandFit, UsageError, WardwireError } from './error.js';

export interface GrantOptions extends Abortable {
  /** A position to catch up from. */
  readonly since?: string;
}

/** A grant that did not hold even for so long does not get another one. */
const leastMs = 1000;

/**
 * Follows a channel by signed grants, as `grant` fetches them from the application's backend: one to begin with, and a fresh one
 * when the last has ended, where the channel is taken up again. Resolves once the server said yes, and rejects as
 * {@link Channel.subscribe} or with what `grant` fails with. Where a later one cannot be had, the channel is followed no more (`ended` to
 * whoever listens, else `idle`), and what `grant` fails with is reported as an uncaught error, as of a listener. Where the channel is left
 * while a grant is fetched, or the user signs out, that grant is not used (`unsubscribed`).
 *
 * Listen with {@link Channel.on}: such listeners hear on after each grant, from where they were. An iteration ends with the grant, and one
 * that begins before the first grant, over an open connection, asks without it and is refused.
 */
export function subscribeByGrant<Data>(
  channel: Channel<Data>,
  grant: (signal: AbortSignal | undefined) => string | Promise<string>,
  options: GrantOptions = {},
): Promise<SubscriptionStart> {
  const { signal } = options;
  let [askedAt, held, left] = [0, false, false];
  let leave: Unsubscribe | undefined;
  const end = (): void => {
    stop();
    leave?.();
  };
  const giveUp = (error: unknown): never => {
    end();
    throw error;
  };
  const ask = async (): Promise<SubscriptionStart> => {
    demandFit('grant', typeof grant === 'function');
    [askedAt, held] = [Date.now(), false];
    const { position } = channel;
    const fresh = await grant(signal);
    // Meanwhile it may have been left, which forgets the position, and somebody else may have signed in.
    if (left || (position && !channel.position)) throw new UsageError('unsubscribed');
    return channel.subscribe({ ...options, grant: fresh });
  };
  // What the server says is in the channel's state, and who aborts knows why.
  const told = (error: unknown): void => void (error instanceof WardwireError || signal?.aborted || report(error));
  const stop = channel.on('state', (state) => {
    if (state.kind === 'live') {
      held = true;
      // Keeps the position between two grants.
      leave ??= channel.on('lagged', () => undefined, options);
    }
    if (state.kind === 'idle') {
      left = true;
      end();
    }
    if (!held || state.kind !== 'ended') return;
    if (!isOver(state.error) || Date.now() - askedAt < leastMs) return end();
    ask().catch(giveUp).catch(told);
  }, options);
  return ask().catch(giveUp);
}

/** As the server tells, or as it refuses after a reconnect. */
function isOver({ code, data }: WardwireError): boolean {
  return code === 'forbidden' || data?.word === 'expired';
}
