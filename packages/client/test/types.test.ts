/** What must compile and what must not; `tsc` is the judge of this file, and running it only shows that it is there. */

import { test } from 'node:test';

import type { Channels as Made } from './channels.js';
import { type PatternOf, type Publication, SecureWebSocket, type SocketCloseEvent, type Wire } from '../src/index.js';

interface Channels {
  'chat/{room}': { readonly text: string };
  'chat/lobby': { readonly text: string; readonly pinned: boolean };
  'user/{sub}/inbox': { readonly kind: 'hello' };
  'files/{id}': Uint8Array;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Held extends true>(): Held | void => undefined;

export function typed(wire: Wire<Channels>, room: string): void {
  holds<Same<PatternOf<Channels, 'chat/7'>, 'chat/{room}'>>();
  holds<Same<PatternOf<Channels, 'chat/lobby'>, 'chat/lobby'>>();
  holds<Same<PatternOf<Channels, `user/${string}/inbox`>, 'user/{sub}/inbox'>>();
  holds<Same<PatternOf<Channels, 'chat/7/deeper'>, never>>();
  holds<Same<PatternOf<{ '{a}/{b}': 1; 'a/{b}': 2; 'a/b': 3 }, 'a/c'>, 'a/{b}'>>();
  void wire.channel('chat/7').publish({ text: 'hi' });
  void wire.channel(`chat/${room}`).publish({ text: 'hi' });
  void wire.channel('files/1').publish(Uint8Array.of(1));
  wire.channel('user/alice/inbox').on('publication', (publication) => {
    holds<Same<typeof publication, Publication<{ readonly kind: 'hello' }>>>();
  });
  // @ts-expect-error: not what is published there
  void wire.channel('chat/7').publish({ txt: 'hi' });
  // @ts-expect-error: the lobby's own type is the narrower one
  void wire.channel('chat/lobby').publish({ text: 'hi' });
  // @ts-expect-error: there is no such channel
  wire.channel('chat/7/deeper');
  // @ts-expect-error: nor is any name a channel
  wire.channel(room);
}

/** What the server's own command writes (`tests/configuration.rs` holds it to that). */
export function made(wire: Wire<Made>): void {
  const kind = 'said';
  void wire.channel('chat/7').publish({ kind, text: 'hi', at: [1], extra: { pinned: true }, 'in-reply-to': { id: '1', before: { id: '0' } } });
  void wire.channel('files/1').publish(Uint8Array.of(1));
  void wire.channel('news').publish({ any: ['json'] });
  // @ts-expect-error: what has to be there is not
  void wire.channel('chat/7').publish({ text: 'hi' });
  // @ts-expect-error: no such kind
  void wire.channel('chat/7').publish({ kind: 'sung', text: 'hi' });
  // @ts-expect-error: a misspelt member
  void wire.channel('chat/7').publish({ kind, text: 'hi', tto: 'bob' });
  // @ts-expect-error: a place too many
  void wire.channel('chat/7').publish({ kind, text: 'hi', at: [1, 2, 3] });
}

export function untyped(wire: Wire, room: string): void {
  void wire.channel(room).publish({ any: ['json'] });
  wire.channel(room).on('publication', ({ data }) => {
    holds<Same<typeof data, unknown>>();
    // @ts-expect-error: unknown until the application has looked
    void data.text;
  });
}

/** In a page it stands for the original, the constructor too, and what it is closed with is a `CloseEvent`. */
export function inPages(closed: (event: CloseEvent) => void): typeof WebSocket {
  holds<Same<keyof SocketCloseEvent, keyof CloseEvent>>();
  const socket = new SecureWebSocket('/live');
  socket.onclose = closed;
  socket.addEventListener('close', closed);
  return SecureWebSocket;
}

test('the types of channels and sockets hold', () => undefined);
