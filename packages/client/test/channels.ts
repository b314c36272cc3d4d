// Made by `wardwire types` from the channels of a configuration and their schemas.

/** What is said in each channel of wardwire.toml. */
export interface Channels {
  /** message.json */
  readonly "chat/{room}": ChatRoom;
  /** message.json, which is only reported on: anything may be said. */
  readonly "chat/lobby": ChatLobby;
  readonly "files/{id}": Uint8Array;
  readonly news: unknown;
}

/** A message of a room. */
export type ChatRoom = {
  readonly at?: readonly [number, number?];
  readonly extra?: {
    readonly [name: string]: boolean;
  };
  readonly "in-reply-to"?: ChatRoomReference;
  readonly kind: "said" | "done" | null;
  readonly seen?: readonly (string | number)[];
  /** Shown as HTML. *\/ alert(1) */
  readonly text: string;
  readonly to?: string | null;
};

export type ChatRoomReference = {
  readonly before?: ChatRoomReference;
  readonly id: string;
};

/** A message of a room. */
export type ChatLobby = {
  readonly at?: readonly [number, number?];
  readonly extra?: {
    readonly [name: string]: boolean;
  };
  readonly "in-reply-to"?: ChatLobbyReference;
  readonly kind: "said" | "done" | null;
  readonly seen?: readonly (string | number)[];
  /** Shown as HTML. *\/ alert(1) */
  readonly text: string;
  readonly to?: string | null;
};

export type ChatLobbyReference = {
  readonly before?: ChatLobbyReference;
  readonly id: string;
};
