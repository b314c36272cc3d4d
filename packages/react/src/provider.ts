/** The client of a tree of components, from its mounting to its unmounting. */

import { type State, UsageError, type Wire } from '@wardwire/client';
import { createContext, createElement, type ReactElement, type ReactNode, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react';

import type { Registered } from './register.js';

/**
 * A client for one user: another object after each sign-out, so that whatever follows from it begins anew.
 *
 * @internal
 */
export interface Link {
  readonly wire: Wire<Registered>;
}

/** `undefined` where there is no provider. */
const Context = createContext<Link | null | undefined>(undefined);

/** What {@link WardwireProvider} is given. */
export interface ProviderProps {
  /** Makes a new client, in the browser only: `() => connect('/live', { auth: session() })`. It is closed with the provider; one that was made before is a UsageError. */
  readonly connect: () => Wire<Registered>;
  readonly children?: ReactNode;
}

/** Gives a client to all components below. A `connect` that changes later is not called: give the provider another `key`. */
export function WardwireProvider({ connect, children }: ProviderProps): ReactElement {
  const make = useRef(connect);
  const last = useRef<Wire<Registered> | null>(null);
  const [link, setLink] = useState<Link | null>(null);
  useEffect(() => {
    const wire = make.current();
    // It was closed as the provider was unmounted, or by strict mode, and is whoever else's it is.
    if (wire === last.current) {
      wire.close();
      throw new UsageError('usage', { title: 'Make a new client each time that `connect` is called.' });
    }
    last.current = wire;
    setLink({ wire });
    // Its listeners went with the user, so they are asked for anew.
    const deaf = wire.on('signed-out', () => setLink({ wire }));
    return () => {
      deaf();
      wire.close();
      setLink(null);
    };
  }, []);
  return createElement(Context.Provider, { value: link }, children);
}

/** @internal */
export function useLink(): Link | null {
  const link = useContext(Context);
  if (link === undefined) throw new UsageError('usage', { title: 'Wrap what uses this hook in a `WardwireProvider`.' });
  return link;
}

/** The client, and where its connection stands. */
export interface WireView {
  /** `null` on the server and in the first render. */
  readonly wire: Wire<Registered> | null;
  readonly state: State;
}

const idle: State = { kind: 'idle' };
const nothing = (): void => undefined;

/** The client of the nearest provider. Renders again whenever its state changes. */
export function useWire(): WireView {
  const wire = useLink()?.wire ?? null;
  const subscribe = useCallback((changed: () => void) => wire?.on('state', changed) ?? nothing, [wire]);
  const state = useSyncExternalStore(subscribe, () => wire?.state ?? idle, () => idle);
  return { wire, state };
}
