/** How the application says once which channels it has. */

import type { AnyChannels } from '@wardwire/client';

/**
 * What `wardwire types` writes, for all hooks:
 *
 * ```ts
 * declare module '@wardwire/react' {
 *   interface Register { channels: Channels }
 * }
 * ```
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Register {}

/** The channels that were registered; any, where none were. */
export type Registered = Register extends { channels: infer Channels } ? Channels : AnyChannels;
