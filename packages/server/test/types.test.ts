/** What must compile and what must not; `tsc` is the judge of this file, and running it only shows that it is there. */

import { test } from 'node:test';

import { type Backend, type History, type Outcome, type Published, signGrant, type SigningKey } from '../src/index.js';

interface Channels {
  'chat/{room}': { readonly text: string };
  'files/{id}': Uint8Array;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Held extends true>(): Held | void => undefined;

export async function typed(backend: Backend<Channels>, room: string): Promise<void> {
  await backend.publish('chat/7', { text: 'hi' });
  await backend.publish(`chat/${room}`, { text: 'hi' }, { id: '1' });
  await backend.publish('files/7', Uint8Array.of(1));
  // @ts-expect-error: not what is published there
  await backend.publish('chat/7', { txt: 'hi' });
  // @ts-expect-error: there is no such channel
  await backend.publish('news', 1);
  // @ts-expect-error: there is nobody whom it could come back to
  await backend.publish('chat/7', { text: 'hi' }, { noEcho: true });
  const page = await backend.history('chat/7');
  holds<Same<typeof page, History<{ readonly text: string }>>>();
  const both = await backend.batch((calls) => [calls.publish('chat/7', { text: 'hi' }), calls.history('files/1')]);
  holds<Same<(typeof both)[0], Outcome<Published>>>();
  holds<Same<(typeof both)[1], Outcome<History<Uint8Array>>>>();
}

export async function untyped(backend: Backend, key: SigningKey): Promise<void> {
  await backend.publish('any', { thing: 1 });
  await backend.revoke({ issuer: 'i', everything: true });
  // @ts-expect-error: nobody takes back a whole issuer by leaving something out
  await backend.revoke({ issuer: 'i' });
  const terms = { issuer: 'i', audience: 'a', subject: 's', channel: 'c', lifetime: 60 };
  await signGrant(key, { ...terms, may: ['subscribe'] });
  // @ts-expect-error: no such action
  await signGrant(key, { ...terms, may: ['administer'] });
}

test('what must compile does', () => undefined);
