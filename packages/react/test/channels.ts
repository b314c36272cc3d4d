/** The channels of these tests, as an application registers what `wardwire types` writes. */

export interface Channels {
  'chat/{room}': { readonly text: string };
  'files/{id}': Uint8Array;
}

declare module '../src/register.js' {
  interface Register {
    channels: Channels;
  }
}
