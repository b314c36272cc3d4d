/**
 * `@wardwire/client`: talks to a Wardwire server from browsers and Node.
 *
 * `connect` is where to begin; `Client` holds what can be done, `State` where it stands, `WardwireError` why not.
 */

export type { Backoff } from './backoff.js';
export { Client, connect, type Events, type Options } from './client.js';
export { type Advice, adviceFor } from './codes.js';
export type { Unsubscribe } from './emitter.js';
export { type LocalCode, WardwireError, type WardwireErrorFields } from './error.js';
export { type Clock, newTrace, type Platform, type SocketConstructor, type SocketLike, type Timer } from './platform.js';
export type { Reason, State } from './state.js';
export type { Handler, SubscriptionStart } from './subscriptions.js';
export type { Credential } from './ticket.js';
export type { Publication } from './wire.js';
