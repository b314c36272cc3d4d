/** Who is in a channel, as a hook. */

import { type Change, type Member, type NameOf, presence, type WardwireError } from '@wardwire/client';
import { useEffect, useState } from 'react';

import { useNamed } from './channel.js';
import { useLink } from './provider.js';
import type { Registered } from './register.js';

export interface PresenceView {
  /** Users in the channel; `null` before it is known. */
  readonly count: number | null;
  /** Those who are named. With many users these are not all: compare `count`. */
  readonly members: readonly Member[];
  /** Why nobody may be told. */
  readonly error: WardwireError | null;
}

const nobody: PresenceView = { count: null, members: [], error: null };

/** Who is in a channel, kept as they come and go; with `null` in place of a name nobody is. Follows the channel. */
export function usePresence<const Name extends string>(name: (Name & NameOf<Registered, Name>) | null): PresenceView {
  const channel = useNamed<Name>(useLink(), name);
  const [seen, setSeen] = useState({ of: channel, view: nobody });
  useEffect(() => {
    if (channel === null) return undefined;
    const abort = new AbortController();
    const { signal } = abort;
    let latest = 0;
    const ask = (): void => {
      latest += 1;
      const mine = latest;
      const tell = (view: PresenceView): void => {
        if (mine === latest && !signal.aborted) setSeen({ of: channel, view });
      };
      presence(channel, { signal }).then(
        ({ count, members }) => tell({ count, members, error: null }),
        (error: WardwireError) => tell({ ...nobody, error }),
      );
    };
    const change = (apply: (members: readonly Member[], change: Change) => readonly Member[]) => (change: Change) => {
      // Too many at once to be named.
      if (change.truncated) return ask();
      setSeen((last) => {
        const { view } = last;
        // What comes before the answer is in it.
        if (last.of !== channel || view.count === null) return last;
        return { of: channel, view: { ...view, count: change.count, members: apply(view.members, change) } };
      });
    };
    channel.on('joined', change((members, { members: came }) => [...without(members, came), ...came]), { signal });
    channel.on('left', change((members, { members: went }) => without(members, went)), { signal });
    channel.on('state', ({ kind }) => kind === 'live' && ask(), { signal });
    if (channel.state.kind === 'live') ask();
    return () => abort.abort();
  }, [channel]);
  return seen.of === channel ? seen.view : nobody;
}

function without(members: readonly Member[], gone: readonly Member[]): readonly Member[] {
  const names = new Set(gone.map(({ from }) => from));
  return members.filter(({ from }) => !names.has(from));
}
