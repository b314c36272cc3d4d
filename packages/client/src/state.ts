/** Where a client and its subscriptions stand: exactly one of these, and why. */

import type { Advice } from './codes.js';
import type { WardwireError } from './error.js';

/** Why there is no connection. */
export type Reason =
  /** The gate refused a ticket, or could not be asked. */
  | { readonly kind: 'refused'; readonly error: WardwireError }
  /** The socket closed. `word` is the stable first word of the server's reason. */
  | { readonly kind: 'closed'; readonly code: number; readonly word: string; readonly advice: Advice; readonly trace: string }
  /** The user signed out, on this client or (`word` of the close) at the server; or the session is another user's now. */
  | { readonly kind: 'signed-out'; readonly by: 'client' | 'server' | 'another-user'; readonly word: string }
  /** The application called `close()`. */
  | { readonly kind: 'stopped' };

/** A client's state. */
export type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number; readonly trace: string }
  | { readonly kind: 'open'; readonly trace: string }
  /** The next attempt begins at `until` (milliseconds since the epoch). */
  | { readonly kind: 'waiting'; readonly until: number; readonly attempt: number; readonly reason: Reason }
  /** The page lies in the browser's page cache, which keeps no sockets; it connects when it is shown again. */
  | { readonly kind: 'suspended' }
  /** Nothing more happens until `start()`. */
  | { readonly kind: 'ended'; readonly reason: Reason };

/** A subscription's state. */
export type SubscriptionState =
  /** Nobody follows the channel. */
  | { readonly kind: 'idle' }
  /** Followed as soon as there is a connection (and, after a refusal for its rate, some time has passed). */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'asking' }
  /** `recovered`: nothing is missing since what was read before. `false` also on a first subscription without `since`. */
  | { readonly kind: 'live'; readonly position: string; readonly recovered: boolean }
  /** Refused or taken away; not asked for again until the application does. */
  | { readonly kind: 'ended'; readonly error: WardwireError };
