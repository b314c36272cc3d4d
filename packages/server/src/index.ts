/**
 * `@wardwire/server`: what an application's own backend says to a Wardwire server.
 *
 * `Backend` publishes, reads and takes back; `signGrant` lets one user into one channel. `WardwireError` tells why not.
 *
 * @packageDocumentation
 */

export type { History, Member, Presence, Publication, Published, Revoked } from './answers.js';
export { Backend, type BackendOptions, type Batched, type Outcome } from './backend.js';
export type { Call, Calls, HistoryOptions, PresenceOptions, PublishOptions, Revocation } from './calls.js';
export { CallError, ConnectionError, type ErrorData, type LocalCode, RefusedError, UsageError, WardwireError } from './error.js';
export type { Abortable, Fetch } from './exchange.js';
export { type Action, type GrantOptions, signGrant } from './grant.js';
export type { SigningJwk, SigningKey } from './key.js';
export type { AnyChannels, DataOf, NameOf, PatternOf } from './names.js';
