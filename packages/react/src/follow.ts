/** What a hook reads of a channel, kept outside React: while a component is suspended or hidden nothing piles up. */

import { type Channel, type DataOf, type SubscriptionState, UsageError } from '@wardwire/client';
import { useMemo, useSyncExternalStore } from 'react';

import { useLink } from './provider.js';
import type { Registered } from './register.js';

/** Changes what a component is shown. */
export type Tell<View> = (change: (view: View) => View) => void;

/** How a view of a channel comes about. One object for as long as the component lives. */
export interface Reader<Data, View> {
  readonly nothing: View;
  readonly entered: (view: View, state: SubscriptionState) => View;
  /** Follows the channel until the signal aborts. */
  readonly listen: (channel: Channel<Data>, signal: AbortSignal, tell: Tell<View>) => void;
}

/** A channel; or why there can be none of this name. `null` without a name or a client. */
export type Named<Data> = Channel<Data> | UsageError | null;

/** A channel of the nearest provider's client: the same object while both stay. */
export function useNamed<const Name extends string>(name: string | null): Named<DataOf<Registered, Name>> {
  const link = useLink();
  return useMemo(() => {
    if (link === null || name === null) return null;
    try {
      return link.wire.channel<string>(name as never) as Channel<DataOf<Registered, Name>>;
    } catch (error) {
      // People may have named it. That need not take the page down.
      return unlessBroken(error);
    }
  }, [link, name]);
}

/** Follows a channel while the component is mounted, and begins anew with another one. */
export function useFollowed<Data, View>(named: Named<Data>, reader: Reader<Data, View>): View {
  const store = useMemo(() => storeOf(named, reader), [named, reader]);
  return useSyncExternalStore(store.subscribe, store.view, () => reader.nothing);
}

function storeOf<Data, View>(named: Named<Data>, reader: Reader<Data, View>) {
  let view = reader.nothing;
  const [channel, mistake] = named instanceof UsageError ? [null, named] : [named, null];
  const subscribe = (changed: () => void): (() => void) => {
    const mounted = new AbortController();
    let followed: AbortController | null = null;
    const tell: Tell<View> = (change) => {
      view = change(view);
      changed();
    };
    // `unsubscribe()` ends listeners too: once somebody follows again, they are needed again.
    const enter = (state: SubscriptionState): void => {
      if (state.kind === 'idle') {
        followed?.abort();
        followed = null;
        // Also at sign-out, at once: what one user read is not shown to the next, nor kept.
        return tell(() => reader.nothing);
      }
      tell((last) => reader.entered(last, state));
      follow();
    };
    const follow = (): void => {
      if (channel === null || followed !== null) return;
      followed = new AbortController();
      reader.listen(channel, followed.signal, tell);
    };
    view = reader.nothing;
    try {
      if (mistake !== null) throw mistake;
      channel?.on('state', enter, { signal: mounted.signal });
      follow();
      // Somebody else may follow it already.
      if (channel !== null) enter(channel.state);
    } catch (error) {
      // Or too many channels, as in a list of them.
      const ended: SubscriptionState = { kind: 'ended', error: unlessBroken(error) };
      tell(() => reader.entered(reader.nothing, ended));
    }
    return () => {
      mounted.abort();
      followed?.abort();
    };
  };
  return { subscribe, view: () => view };
}

/** A mistake that a page can show. @throws what is none. */
function unlessBroken(error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  throw error;
}
