/**
 * `@wardwire/client`: talks to a Wardwire server from browsers and Node.
 *
 * `connect` is where to begin; `Wire` holds what can be done, `State` where it stands, `WardwireError` why not.
 *
 * @packageDocumentation
 */

export type { Published } from './answers.js';
export type { Backoff } from './backoff.js';
export { Channel, type MessagesOptions, type PublishOptions, type SubscribeOptions, type SubscriptionStart } from './channel.js';
export { type Advice, adviceFor, RPC } from './codes.js';
export type { Abortable, Unsubscribe } from './emitter.js';
export { CallError, ConnectionError, type LocalCode, RefusedError, UsageError, WardwireError, type WardwireErrorFields } from './error.js';
export type { ChannelEvents } from './following.js';
export type { Change, Member, Publication } from './frames.js';
export { type GrantOptions, subscribeByGrant } from './grant.js';
export { type History, history, type HistoryOptions } from './history.js';
export type { AnyChannels, DataOf, NameOf, PatternOf } from './names.js';
export { type Cancel, type Clock, newTrace, type Platform, type SocketConstructor, type SocketLike, type Surrounding } from './platform.js';
export { type Presence, presence, type PresenceOptions } from './presence.js';
export type { ErrorData } from './protocol.js';
export { SecureWebSocket, type SecureWebSocketEvents, type SecureWebSocketOptions, type SocketCloseEvent } from './secure-websocket.js';
export { remedyFor } from './remedies.js';
export type { Reason, State, SubscriptionState } from './state.js';
export { type StepUp, stepUpFor } from './step-up.js';
export { type Auth, bearer, session, tickets } from './ticket.js';
export { connect, type Events, type Options, Wire } from './wire.js';
