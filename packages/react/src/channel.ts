/** A channel as a hook: followed while a component that uses it is mounted. */

import { type Channel, ConnectionError, type DataOf, type NameOf, type Publication, type Published, type PublishOptions, type SubscriptionState, UsageError } from '@wardwire/client';
import { useCallback, useEffect, useRef, useState } from 'react';

import { type Reader, useFollowed, useNamed } from './follow.js';
import type { Registered } from './register.js';

/** How {@link useChannel} follows. */
export interface ChannelOptions<Data> {
  /** How many of the last publications are in `messages`. Default 100; with 0 only `onPublication` hears, and nothing renders. */
  readonly keep?: number;
  /** Told of each publication, after `messages` has it. May change with each render. */
  readonly onPublication?: (publication: Publication<Data>) => void;
}

/** What {@link useChannel} knows of a channel. */
export interface ChannelView<Data> {
  /** All else that a channel can do. `null` where there is no client yet, without a name, and with one that no channel has. */
  readonly channel: Channel<Data> | null;
  readonly state: SubscriptionState;
  /** The last publications since the component follows, oldest first. */
  readonly messages: readonly Publication<Data>[];
  /** As `channel.publish`. Rejects with `disconnected` where there is no client yet, and with the `UsageError` in `state` for a name that no channel has. */
  readonly publish: (data: Data, options?: PublishOptions) => Promise<Published>;
}

/** Follows a channel; with `null` in place of a name none. A refusal is in `state`, and `channel.subscribe()` asks again. */
export function useChannel<const Name extends string>(
  name: (Name & NameOf<Registered, Name>) | null,
  options: ChannelOptions<DataOf<Registered, Name>> = {},
): ChannelView<DataOf<Registered, Name>> {
  type Data = DataOf<Registered, Name>;
  const named = useNamed<Name>(name);
  const newest = useRef(options);
  useEffect(() => void (newest.current = options));
  const [reader] = useState(() => readerOf(() => newest.current));
  const { state, messages } = useFollowed(named, reader);
  const [channel, mistake] = named instanceof UsageError ? [null, named] : [named, null];
  const publish = useCallback(
    (data: Data, how?: PublishOptions) => channel?.publish(data, how) ?? Promise.reject(mistake ?? new ConnectionError('disconnected')),
    [channel, mistake],
  );
  return { channel, state, messages, publish };
}

function readerOf<Data>(options: () => ChannelOptions<Data>): Reader<Data, Pick<ChannelView<Data>, 'state' | 'messages'>> {
  return {
    nothing: { state: { kind: 'idle' }, messages: [] },
    entered: (view, state) => ({ ...view, state }),
    listen: (channel, signal, tell) => {
      const hear = (publication: Publication<Data>): void => {
        const { keep = 100, onPublication } = options();
        if (keep >= 1) tell((view) => ({ ...view, messages: [...view.messages, publication].slice(-keep) }));
        onPublication?.(publication);
      };
      channel.on('publication', hear, { signal });
    },
  };
}
