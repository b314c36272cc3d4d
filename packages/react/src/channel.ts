/** A channel as a hook: followed while a component that uses it is mounted. */

import { type Channel, ConnectionError, type DataOf, type NameOf, type Publication, type Published, type PublishOptions, type SubscriptionState } from '@wardwire/client';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { type Link, useLink } from './provider.js';
import type { Registered } from './register.js';

export interface ChannelOptions<Data> {
  /** How many of the last publications are in `messages`. Default 100; with 0 only `onPublication` hears, and nothing renders. */
  readonly keep?: number;
  /** Told of each publication. May change with each render. */
  readonly onPublication?: (publication: Publication<Data>) => void;
}

export interface ChannelView<Data> {
  /** All else that a channel can do. `null` where there is no client yet, and without a name. */
  readonly channel: Channel<Data> | null;
  readonly state: SubscriptionState;
  /** The last publications since the component follows, oldest first. */
  readonly messages: readonly Publication<Data>[];
  /** As `channel.publish`. Rejects with `disconnected` where there is no client yet. */
  readonly publish: (data: Data, options?: PublishOptions) => Promise<Published>;
}

/** What was read of one channel as one user. */
interface Read<Data> {
  readonly of: Channel<Data> | null;
  readonly state: SubscriptionState;
  readonly messages: readonly Publication<Data>[];
}

/** Follows a channel; with `null` in place of a name none. A refusal is in `state`, and `channel.subscribe()` asks again. */
export function useChannel<const Name extends string>(
  name: (Name & NameOf<Registered, Name>) | null,
  options: ChannelOptions<DataOf<Registered, Name>> = {},
): ChannelView<DataOf<Registered, Name>> {
  type Data = DataOf<Registered, Name>;
  const channel = useNamed<Name>(useLink(), name);
  const [read, setRead] = useState<Read<Data>>(() => unread(channel));
  const newest = useRef(options);
  useEffect(() => void (newest.current = options));
  useEffect(() => {
    if (channel === null) return undefined;
    const abort = new AbortController();
    const { signal } = abort;
    const change = (next: (read: Read<Data>) => Partial<Read<Data>>): void => {
      setRead((last) => {
        const now = last.of === channel ? last : unread(channel);
        return { ...now, ...next(now) };
      });
    };
    channel.on('state', (state) => change(() => ({ state })), { signal });
    channel.on(
      'publication',
      (publication) => {
        const { keep = 100, onPublication } = newest.current;
        onPublication?.(publication);
        if (keep > 0) change(({ messages }) => ({ messages: [...messages, publication].slice(-keep) }));
      },
      { signal },
    );
    // Somebody else may follow it already.
    change(() => ({ state: channel.state }));
    return () => abort.abort();
  }, [channel]);
  const publish = useCallback(
    (data: Data, how?: PublishOptions) => channel?.publish(data, how) ?? Promise.reject(new ConnectionError('disconnected')),
    [channel],
  );
  // What was read of another channel, or as another user, is not shown in the render before the effect either.
  const { state, messages } = read.of === channel ? read : unread(channel);
  return { channel, state, messages, publish };
}

/** A channel of a client, the same object for as long as both are. @internal */
export function useNamed<const Name extends string>(link: Link | null, name: string | null): Channel<DataOf<Registered, Name>> | null {
  return useMemo(() => {
    return link === null || name === null ? null : (link.wire as Link['wire']).channel<string>(name as never) as Channel<DataOf<Registered, Name>>;
  }, [link, name]);
}

function unread<Data>(of: Channel<Data> | null): Read<Data> {
  return { of, state: { kind: 'idle' }, messages: [] };
}
