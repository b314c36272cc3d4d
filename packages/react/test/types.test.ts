/** What must compile and what must not; `tsc` is the judge of this file, and running it only shows that it is there. */

import { test } from 'node:test';

import type { Publication } from '@wardwire/client';

import './channels.js';
import { useChannel, usePresence } from '../src/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Held extends true>(): Held | void => undefined;

export function typed(room: string): void {
  const { messages, publish } = useChannel('chat/lobby', { onPublication: ({ data }) => data.text });
  holds<Same<typeof messages, readonly Publication<{ readonly text: string }>[]>>();
  void publish({ text: 'hi' });
  void useChannel(`chat/${room}`).publish({ text: 'hi' });
  void useChannel(null);
  usePresence('files/1');
  // @ts-expect-error: not what is published there
  void publish({ txt: 'hi' });
  // @ts-expect-error: there is no such channel
  useChannel('news');
  // @ts-expect-error: nor is any name a channel
  usePresence(room);
}

test('the types of hooks hold', () => undefined);
