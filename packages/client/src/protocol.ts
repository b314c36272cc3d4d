// Made from spec/openrpc.json by `cargo xtask spec`. Edit that file.

/** Bytes in base64 (RFC 4648 §4), in the one way to write them: with its padding, and no bit set behind the last byte. */
export type Base64 = string;

/** A channel's name: segments between `/`, at most 255 bytes of UTF-8 together. No empty segment, `.` or `..`; none of `* { } ? # % \`; no control or invisible characters, none that is not assigned, no white space but spaces inside of a segment; in Unicode's NFC (UAX #15). Compared byte by byte: a client that lets people name channels brings the name into NFC first. */
export type ChannelName = string;

/** Any JSON that every reader reads alike: at most 32 objects and arrays inside each other, no key twice, none of `__proto__`, `constructor`, `prototype`, integers up to ±(2^53 - 1), no half surrogate pairs. */
export type Data = unknown;

/** Who published it, as the server knows them, never as they say: the token's `sub`, behind `name:` where there are several issuers; `null` for somebody anonymous. */
export type From = string | null;

/** Where a publication stands in its channel: `epoch:offset`. An epoch is one life of the channel's log, in hexadecimal; offsets are decimal, below 2^64, and grow with each publication of the epoch, by one or more. Positions of two epochs cannot be compared. */
export type Position = string;

/** What a publisher calls a publication of its own: 1 to 64 bytes of UTF-8, as a UUID. It is plain data to everybody else. */
export type PublicationId = string;

/** `error.data`: what a program can go by beside the code. Members that are not known are to be passed over. */
export interface ErrorData {
  /** The code's stable name. */
  readonly word: string;
  /** The rule that was broken: as the channel's schema calls it, or with -32004 `depth`, `duplicate-key`, `forbidden-key`, `number` or `surrogate`. */
  readonly keyword?: string;
  /** A JSON Pointer (RFC 6901) to what is wrong: with -32602 into the parameters, else into `data`; the empty text is all of it. Where it would be longer than 256 bytes, it points to what is around the place. */
  readonly pointer?: string;
  /** In seconds, with a fraction: the same call may succeed after so long. Always there with -32002. */
  readonly retryAfter?: number;
}

/** Somebody who follows a channel. */
export interface Member {
  /** Who: as `from` of a publication would name them. */
  readonly from: string;
  /** What the channel's rules tell beside it: claims that are strings, numbers, `true` or `false`. */
  readonly info?: Readonly<Record<string, unknown>>;
}

/** A publication, as a list about one channel holds it. */
export interface Publication {
  /** Where it stands. */
  readonly position: Position;
  /** Who published it. */
  readonly from: From;
  /** What was published, as bytes. */
  readonly base64?: Base64;
  /** What was published, as JSON. Either this is there or `base64`. */
  readonly data?: Data;
  /** What its publisher called it. */
  readonly id?: PublicationId;
}

/** What `subscribe` takes. */
export interface SubscribeParams {
  /** Which channel. */
  readonly channel: ChannelName;
  /** The last position that was read; what came after it is asked for. */
  readonly since?: Position;
  /** A signed grant of this channel to this user, in channels whose rules say `"granted"`. One that does not hold is an error, whatever else the user may. */
  readonly grant?: string;
}

/** What `subscribe` comes to. */
export interface SubscribeResult {
  /** Which channel, as it was asked for. */
  readonly channel: ChannelName;
  /** The channel's end. What comes from now on comes after it. */
  readonly position: Position;
  /** Whether `publications` is everything after `since`, in a conflated channel the newest of each key. False without `since`. */
  readonly recovered: boolean;
  /** What was missed, oldest first. Where `recovered` is false, the latest value of a channel that keeps one, or of each of its keys. */
  readonly publications: readonly Publication[];
  /** The channel keeps the latest of each key: who reads slowly gets that, and not everything. */
  readonly conflated?: true;
  /** There are values of more keys than are in `publications`, which are the newest: of the others each comes when it is published anew. */
  readonly truncated?: true;
}

/** What `unsubscribe` takes. */
export interface UnsubscribeParams {
  /** Which channel. */
  readonly channel: ChannelName;
}

/** What `publish` takes. */
export interface PublishParams {
  /** Where. */
  readonly channel: ChannelName;
  /** What, as JSON. Either this or `base64`. */
  readonly data?: Data;
  /** What, as bytes, in channels that take bytes. */
  readonly base64?: Base64;
  /** What the publisher calls it. The same publisher's id in the same channel is published once within five minutes, whatever a repetition says; one that was refused counts for nothing. Without a credential a publisher is its socket. */
  readonly id?: PublicationId;
  /** Whether it is not delivered to this very socket, which learns the position from the answer. The user's other sockets get it all the same. */
  readonly noEcho?: boolean;
}

/** What `publish` comes to. */
export interface PublishResult {
  /** Where it stands. */
  readonly position: Position;
  /** It had been published before, and stands where it did: nothing was published now. */
  readonly duplicate?: true;
}

/** What `history` takes. */
export interface HistoryParams {
  /** Which channel. */
  readonly channel: ChannelName;
  /** The oldest after this position. Not beside `before`. */
  readonly after?: Position;
  /** The newest before this position. */
  readonly before?: Position;
  /** The most publications. 50 if it is not there. */
  readonly limit?: number;
}

/** What `history` comes to. */
export interface HistoryResult {
  /** Oldest first, without a gap among them. */
  readonly publications: readonly Publication[];
  /** The channel's end. */
  readonly position: Position;
  /** There are further ones in that direction. */
  readonly more: boolean;
  /** False where something is missing between the position asked for and these, or beyond them: it is no longer kept, or the position is of another epoch. */
  readonly complete: boolean;
}

/** What `presence` takes. */
export interface PresenceParams {
  /** Which channel. */
  readonly channel: ChannelName;
  /** Whether nobody is named. */
  readonly countOnly?: boolean;
}

/** What `presence` comes to. */
export interface PresenceResult {
  /** How many members. */
  readonly count: number;
  /** How many sockets of nobody in particular. */
  readonly anonymous: number;
  /** At most 100, in the order of their names. */
  readonly members: readonly Member[];
  /** There are more than are named. */
  readonly truncated?: true;
}

/** What `refresh` takes. */
export interface RefreshParams {
  /** The access token, as it would stand behind `Bearer`. */
  readonly token: string;
}

/** What `refresh` comes to. */
export interface RefreshResult {
  /** When the socket ends, unless it is refreshed again: seconds since 1970 (UTC). */
  readonly expires_at: number;
}

/** Somebody published in a channel that this socket follows. */
export interface PublicationNotice {
  /** Which channel. */
  readonly channel: ChannelName;
  /** What was published, as JSON. Either this is there or `base64`. */
  readonly data?: Data;
  /** What was published, as bytes. */
  readonly base64?: Base64;
  /** Where it stands. */
  readonly position: Position;
  /** Who published it. */
  readonly from: From;
  /** What its publisher called it. */
  readonly id?: PublicationId;
}

/** Whose the socket is. */
export interface WelcomeNotice {
  /** The user, as `from` of a publication would name them. */
  readonly handle: string;
}

/** Members are in the channel who were not, or something else is told beside them. */
export interface JoinedNotice {
  /** Which channel. */
  readonly channel: ChannelName;
  /** Who. */
  readonly members: readonly Member[];
  /** They are more than a hundred, or some 32 KiB, and none is named. `presence` names some. */
  readonly truncated?: true;
  /** How many members there are now. */
  readonly count: number;
}

/** Members are in the channel no longer. */
export interface LeftNotice {
  /** Which channel. */
  readonly channel: ChannelName;
  /** Who. */
  readonly members: readonly Member[];
  /** They are more than a hundred, or some 32 KiB, and none is named. `presence` names some. */
  readonly truncated?: true;
  /** How many members there are now. */
  readonly count: number;
}

/** Something was left out. */
export interface LaggedNotice {
  /** Which channel. */
  readonly channel: ChannelName;
  /** Up to where. */
  readonly position: Position;
}

/** The proof on which the socket stands ends soon. */
export interface ExpiringNotice {
  /** When it ends, in seconds since 1970. */
  readonly expires_at: number;
}

/** A channel is followed no longer, as the right to it was lost. */
export interface RevokedNotice {
  /** Which channel. */
  readonly channel: ChannelName;
  /** Why: `rights`, of the user and the rules as they are now, do not allow it; `expired`: the grant that did has ended, and with a fresh one it can be followed again. */
  readonly reason: 'rights' | 'expired';
}

/** What a client may call. */
export interface Calls {
  /** Follows a channel. */
  readonly subscribe: { readonly params: SubscribeParams; readonly result: SubscribeResult };
  /** Follows a channel no longer. */
  readonly unsubscribe: { readonly params: UnsubscribeParams; readonly result: Readonly<Record<string, never>> };
  /** Says something in a channel. */
  readonly publish: { readonly params: PublishParams; readonly result: PublishResult };
  /** Reads what is kept of a channel, page by page. */
  readonly history: { readonly params: HistoryParams; readonly result: HistoryResult };
  /** Says who follows a channel. */
  readonly presence: { readonly params: PresenceParams; readonly result: PresenceResult };
  /** Puts a fresh token in the place of the one that the socket stands on. */
  readonly refresh: { readonly params: RefreshParams; readonly result: RefreshResult };
  /** Asks whether anybody is there. */
  readonly ping: { readonly params: Readonly<Record<string, never>>; readonly result: Readonly<Record<string, never>> };
}

/** What the server says unasked. */
export interface Notices {
  /** Somebody published in a channel that this socket follows. */
  readonly publication: PublicationNotice;
  /** Whose the socket is. */
  readonly welcome: WelcomeNotice;
  /** Members are in the channel who were not, or something else is told beside them. */
  readonly joined: JoinedNotice;
  /** Members are in the channel no longer. */
  readonly left: LeftNotice;
  /** Something was left out. */
  readonly lagged: LaggedNotice;
  /** The proof on which the socket stands ends soon. */
  readonly expiring: ExpiringNotice;
  /** A channel is followed no longer, as the right to it was lost. */
  readonly revoked: RevokedNotice;
}
