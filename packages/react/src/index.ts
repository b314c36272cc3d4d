'use client';

/**
 * `@wardwire/react`: a client for a tree of components, and its channels as hooks.
 *
 * On the server, and in the first render of a page, there is no client and nothing is asked for. Effects that run twice, as
 * in strict mode, open and close one connection more and leave nothing behind.
 *
 * @packageDocumentation
 */

export { useChannel, type ChannelOptions, type ChannelView } from './channel.js';
export { usePresence, type PresenceView } from './presence.js';
export { type ProviderProps, useWire, WardwireProvider, type WireView } from './provider.js';
export type { Registered, Register } from './register.js';
