import { shows } from './dom.js';

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import type { Wire } from '@wardwire/client';
import { createElement as h, type ReactElement, StrictMode, useState } from 'react';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';
import { renderToString } from 'react-dom/server';

import { Gate, RpcFailure, subscribed } from '../../client/test/gate.js';
import type { Channels } from './channels.js';
import { useChannel, usePresence, useWire, WardwireProvider } from '../src/index.js';

let gate: Gate;
let page: Element;
let roots: Root[];
let wires: Wire<Channels>[];

beforeEach(async () => {
  gate = await Gate.open();
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  page = document.body.appendChild(document.createElement('main'));
  [roots, wires] = [[], []];
});

afterEach(async () => {
  for (const root of roots) root.unmount();
  page.remove();
  await gate.close();
});

function connect(): Wire<Channels> {
  const wire = gate.client<Channels>();
  wires.push(wire);
  wire.start();
  return wire;
}

const provided = (...children: ReactElement[]): ReactElement => h(WardwireProvider, { connect }, ...children);

function render(tree: ReactElement): Root {
  const root = createRoot(page);
  roots.push(root);
  root.render(tree);
  return root;
}

function Room({ name }: { readonly name: `chat/${string}` }): ReactElement {
  const { state, messages } = useChannel(name);
  return h('p', null, `${name} ${state.kind}: ${messages.map(({ data }) => data.text).join(',')}`);
}

/** The newest socket, once the page says that its channel is followed. */
async function live(): Promise<Gate['peers'][number]> {
  await shows(page, /live/);
  return gate.peers.at(-1)!;
}

test('a channel is followed while it is shown, and its publications are shown in order', async () => {
  const root = render(provided(h(Room, { name: 'chat/a' })));
  const peer = await live();
  peer.publish('chat/a', { text: 'one' }, 1);
  peer.publish('chat/a', { text: 'two' }, 2);
  await shows(page, 'chat/a live: one,two');
  const left = new Promise<void>((resolve) => peer.socket.on('message', () => peer.calls.at(-1)?.method === 'unsubscribe' && resolve()));
  root.render(provided());
  await left;
  const closed = new Promise((resolve) => peer.socket.on('close', resolve));
  root.unmount();
  await closed;
});

test('in strict mode one connection and one subscription stay, and nothing is shown twice', async () => {
  render(h(StrictMode, null, provided(h(Room, { name: 'chat/a' }))));
  const peer = await live();
  peer.publish('chat/a', { text: 'once' }, 1);
  await shows(page, 'chat/a live: once');
  assert.deepEqual(wires.map(({ state }) => state.kind), ['ended', 'open']);
  assert.deepEqual(peer.calls.map(({ method }) => method), ['subscribe']);
  assert.equal(gate.peers.filter(({ socket }) => socket.readyState === socket.OPEN).length, 1);
});

test('on the server nothing is connected, and the page takes up what it rendered', async () => {
  function Place(): ReactElement {
    const { wire, state } = useWire();
    return h('i', null, `${wire === null ? 'no' : 'a'} client ${state.kind}; `);
  }
  const tree = provided(h(Place), h(Room, { name: 'chat/a' }));
  page.innerHTML = renderToString(tree);
  assert.equal(page.textContent, 'no client idle; chat/a idle: ');
  assert.equal(wires.length, 0);
  const mended: unknown[] = [];
  roots.push(hydrateRoot(page, tree, { onRecoverableError: (error) => mended.push(error) }));
  await shows(page, 'a client open; chat/a live: ');
  assert.deepEqual(mended, []);
});

test('what one user read is gone with their sign-out, and the next is told of channels anew', async () => {
  render(provided(h(Room, { name: 'chat/a' })));
  (await live()).publish('chat/a', { text: 'of the first' }, 1);
  await shows(page, /of the first/);
  await wires[0]!.signOut();
  await shows(page, 'chat/a waiting: ');
  wires[0]!.start();
  const peer = await live();
  assert.deepEqual(peer.calls[0]?.params, { channel: 'chat/a' });
  peer.publish('chat/a', { text: 'of the next' }, 1);
  await shows(page, 'chat/a live: of the next');
});

test('another channel is shown from its first render on, without anything of the one before', async () => {
  const rendered: string[] = [];
  let go: (name: `chat/${string}`) => void = () => undefined;
  function Chosen(): ReactElement {
    const [name, choose] = useState<`chat/${string}`>('chat/a');
    go = choose;
    const { messages } = useChannel(name);
    rendered.push(`${name}: ${messages.map(({ data }) => data.text).join()}`);
    return h('div', null, h(Room, { name }), ` ${rendered.at(-1)}`);
  }
  render(provided(h(Chosen)));
  const peer = await live();
  peer.publish('chat/a', { text: 'of a' }, 1);
  await shows(page, /chat\/a: of a$/);
  go('chat/b');
  await shows(page, /chat\/b live/);
  assert.deepEqual(rendered.filter((line) => line.startsWith('chat/b') && line.includes('of a')), []);
});

test('only the last are kept, and a listener hears all, also when nothing is kept', async () => {
  const heard: string[] = [];
  function Quotes({ keep }: { readonly keep: number }): ReactElement {
    const { messages, state } = useChannel('chat/a', { keep, onPublication: ({ data }) => heard.push(data.text) });
    return h('p', null, `${state.kind} ${messages.map(({ data }) => data.text).join(',')}.`);
  }
  const root = render(provided(h(Quotes, { keep: 2 })));
  const peer = await live();
  for (const offset of [1, 2, 3]) peer.publish('chat/a', { text: String(offset) }, offset);
  await shows(page, 'live 2,3.');
  assert.deepEqual(heard, ['1', '2', '3']);
  root.render(provided(h(Quotes, { keep: 0 }), h(Room, { name: 'chat/a' })));
  await shows(page, /chat\/a live/);
  peer.publish('chat/a', { text: '4' }, 4);
  await shows(page, 'live 2,3.chat/a live: 4');
  assert.deepEqual(heard, ['1', '2', '3', '4']);
});

test('a refusal is shown, and the channel asks again when it is told to', async () => {
  let again = (): Promise<unknown> => Promise.resolve();
  function Asking(): ReactElement {
    const { channel, state, publish } = useChannel('chat/a');
    again = async () => {
      await channel?.subscribe();
      return publish({ text: 'in' });
    };
    return h('p', null, state.kind === 'ended' ? `ended: ${state.error.code}` : state.kind);
  }
  gate.answer = () => {
    throw new RpcFailure(-32001);
  };
  render(provided(h(Asking)));
  await shows(page, 'ended: forbidden');
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : { position: 'e:1' });
  assert.deepEqual(await again(), { position: 'e:1', duplicate: false });
  await live();
});

test('who is there is asked for, kept as they come and go, and asked for again when too many did or the connection was lost', async () => {
  const member = (from: string): object => ({ from });
  let here = { count: 2, members: [member('alice'), member('bob')] };
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : here);
  function Here(): ReactElement {
    const { count, members, error } = usePresence('chat/a');
    return h('p', null, error?.code ?? `${count}: ${members.map(({ from }) => from).join()}`);
  }
  render(provided(h(Here)));
  await shows(page, '2: alice,bob');
  gate.peers[0]!.notify('joined', { channel: 'chat/a', count: 3, members: [member('carol')] });
  await shows(page, '3: alice,bob,carol');
  gate.peers[0]!.notify('left', { channel: 'chat/a', count: 2, members: [member('alice')] });
  await shows(page, '2: bob,carol');
  here = { count: 200, members: [member('dora')] };
  gate.peers[0]!.notify('joined', { channel: 'chat/a', count: 200, truncated: true });
  await shows(page, '200: dora');
  here = { count: 1, members: [member('emil')] };
  gate.peers[0]!.socket.terminate();
  await shows(page, '1: emil');
  gate.answer = (call) => {
    if (call.method === 'subscribe') return subscribed(call, 0);
    throw new RpcFailure(-32001);
  };
  gate.peers[1]!.socket.terminate();
  await shows(page, 'forbidden');
});
