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

/** A channel of the nearest provider's client: the same object while both stay. `null` without a name or a client. */
export function useNamed<const Name extends string>(name: string | null): Channel<DataOf<Registered, Name>> | null {
  const link = useLink();
  return useMemo(() => {
    return link === null || name === null ? null : (link.wire.channel<string>(name as never) as Channel<DataOf<Registered, Name>>);
  }, [link, name]);
}

/** Follows a channel while the component is mounted, and begins anew with another one. */
export function useFollowed<Data, View>(channel: Channel<Data> | null, reader: Reader<Data, View>): View {
  const store = useMemo(() => storeOf(channel, reader), [channel, reader]);
  return useSyncExternalStore(store.subscribe, store.view, () => reader.nothing);
}

function storeOf<Data, View>(channel: Channel<Data> | null, reader: Reader<Data, View>) {
  let view = reader.nothing;
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
      channel?.on('state', enter, { signal: mounted.signal });
      follow();
      // Somebody else may follow it already.
      if (channel !== null) enter(channel.state);
    } catch (error) {
      // Too many channels. A list of them need not take the page down.
      if (!(error instanceof UsageError)) throw error;
      tell(() => reader.entered(reader.nothing, { kind: 'ended', error }));
    }
    return () => {
      mounted.abort();
      followed?.abort();
    };
  };
  return { subscribe, view: () => view };
}
