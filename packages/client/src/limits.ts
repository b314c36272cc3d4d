/** What bounds whatever a server, or an application, could have this side keep, send or wait for. */

/** Longer waits that a server asks for are cut to this: a day, well inside what timers can hold. */
export const longestWaitMs = 86_400_000;

/** The server lets so many calls of a socket wait at once. */
export const callsAtOnce = 32;

/** What comes by itself, channels and publications, leaves room for what the application asks. */
export const queuedAtOnce = 24;

/** For as long a server counts calls that failed. */
export const longestRestMs = 60_000;

/** More channels than this are a leak in the application. */
export const maxChannels = 1000;

/** UTF-16 units of a frame. More comes from no server that is well, and is taken by none. */
export const longestFrame = 2 ** 24;

/** The server forgets ids after five minutes; a publication that is repeated must be sooner. */
export const longestPublishMs = 240_000;

/** UTF-16 units of JSON that may wait. */
export const maxQueuedChars = 2 ** 22;

/** Room for what stands around the parameters of a call. */
export const envelopeBytes = 128;

/** The longest that timers can be set for, in milliseconds. */
export const mostMs = 2 ** 31 - 1;

/** In bytes. No ticket and no refusal is near it. */
export const longestBody = 65_536;

/** A server that tells of expiry again and again must not have tokens asked for in a loop. */
export const refreshEveryMs = 5000;
