import { shows } from './dom.js';

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import type { Channel, Wire } from '@wardwire/client';
import * as React from 'react';
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

test('what one user read is in no render that knows of their sign-out', async () => {
  const rendered: string[] = [];
  function All(): ReactElement {
    const { state } = useWire();
    const { messages } = useChannel('chat/a');
    const { members } = usePresence('chat/a');
    rendered.push(`${state.kind} ${messages.map(({ data }) => data.text)} ${members.map(({ from }) => from)}`);
    return h('p', null, rendered.at(-1));
  }
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : { count: 1, members: [{ from: 'alice' }] });
  render(provided(h(All)));
  await shows(page, 'open  alice');
  gate.peers[0]!.publish('chat/a', { text: 'secret' }, 1);
  await shows(page, 'open secret alice');
  await wires[0]!.signOut();
  await shows(page, 'ended  ');
  assert.deepEqual(rendered.filter((line) => /^ended .*[a-z]/.test(line)), []);
});

test('a page that goes while its client gets in leaves no socket, and one that comes back another', async () => {
  let first = (): void => undefined;
  const asked = new Promise<void>((resolve) => (first = resolve));
  const connecting = (): Wire<Channels> => {
    const wire = connect();
    first();
    return wire;
  };
  const root = render(h(WardwireProvider, { connect: connecting }, h(Room, { name: 'chat/a' })));
  await asked;
  root.render(h('p', null, 'gone'));
  await shows(page, 'gone');
  root.render(h(WardwireProvider, { connect: connecting }, h(Room, { name: 'chat/a' })));
  await live();
  assert.deepEqual(wires.map(({ state }) => state.kind), ['ended', 'open']);
  assert.equal(gate.peers.length, 1);
});

test('a sign-out of a client that its provider left does not come back', async () => {
  render(h(StrictMode, null, provided(h(Room, { name: 'chat/a' }))));
  const peer = await live();
  await wires[0]!.signOut();
  peer.publish('chat/a', { text: 'of the second' }, 1);
  await shows(page, 'chat/a live: of the second');
});

test('names that change faster than the server answers end with the last one', async () => {
  const waiting: (() => void)[] = [];
  const asked = new Set<unknown>();
  gate.answer = (call, { socket }) => {
    if (call.method !== 'subscribe') return {};
    const answer = (): void => socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, result: subscribed(call, 0) }));
    if (waiting.length === 2) answer();
    else waiting.push(answer);
    asked.add(call.params['channel']);
    return undefined;
  };
  const root = render(provided());
  for (const [name, state] of [['chat/a', 'asking'], ['chat/b', 'asking'], ['chat/a', 'waiting']] as const) {
    root.render(provided(h(Room, { name })));
    await shows(page, `${name} ${state}: `);
  }
  while (asked.size < 2) await wires.at(-1)!.ping();
  for (const answer of waiting) answer();
  const peer = await live();
  peer.publish('chat/b', { text: 'of b' }, 1);
  peer.publish('chat/a', { text: 'of a' }, 1);
  await shows(page, 'chat/a live: of a');
  assert.deepEqual(
    peer.calls.filter(({ method }) => method !== 'ping').map(({ method, params }) => `${method} ${params['channel']}`),
    ['subscribe chat/a', 'subscribe chat/b', 'unsubscribe chat/a', 'unsubscribe chat/b', 'subscribe chat/a'],
  );
});

test('who stops following for all and follows again hears again', async () => {
  let channel: Channel<{ readonly text: string }> | null = null;
  function Held(): ReactElement {
    channel = useChannel('chat/a').channel;
    return h(Room, { name: 'chat/a' });
  }
  render(provided(h(Held)));
  (await live()).publish('chat/a', { text: 'before' }, 1);
  await shows(page, 'chat/a live: before');
  channel!.unsubscribe();
  await shows(page, 'chat/a idle: ');
  await channel!.subscribe();
  (await live()).publish('chat/a', { text: 'after' }, 2);
  await shows(page, 'chat/a live: after');
});

test('what is hidden follows nothing, and begins anew when it is shown', { skip: !('Activity' in React) && 'this React hides nothing' }, async () => {
  const { Activity } = React;
  const shown = (mode: 'hidden' | 'visible'): ReactElement => provided(h(Activity, { mode, children: h(Room, { name: 'chat/a' }) }));
  const root = render(shown('visible'));
  const peer = await live();
  peer.publish('chat/a', { text: 'before' }, 1);
  await shows(page, 'chat/a live: before');
  const left = new Promise<void>((resolve) => peer.socket.on('message', () => peer.calls.at(-1)?.method === 'unsubscribe' && resolve()));
  root.render(shown('hidden'));
  await left;
  root.render(shown('visible'));
  await shows(page, 'chat/a live: ');
  peer.publish('chat/a', { text: 'after' }, 2);
  await shows(page, 'chat/a live: after');
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

test('a listener that fails takes no publication from the page', async (context) => {
  const thrown: unknown[] = [];
  const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[];
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => thrown.push(error.message));
  context.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  function Failing(): ReactElement {
    const { state, messages } = useChannel('chat/a', {
      onPublication: () => {
        throw new Error('of the page');
      },
    });
    return h('p', null, `${state.kind} ${messages.map(({ data }) => data.text)}`);
  }
  render(provided(h(Failing)));
  (await live()).publish('chat/a', { text: 'one' }, 1);
  await shows(page, 'live one');
  assert.deepEqual(thrown, ['of the page']);
});

test('a hook outside of a provider says what is missing', () => {
  assert.throws(() => renderToString(h(Room, { name: 'chat/a' })), /Wrap what uses this hook in a `WardwireProvider`/);
});

test('a client that is made once for all is told where it is closed, and not left closed', async () => {
  const wire = gate.client<Channels>();
  class Boundary extends React.Component<{ readonly children: ReactElement }, { readonly told: string | null }> {
    override state = { told: null };
    static getDerivedStateFromError(error: Error) {
      return { told: error.message };
    }
    override render() {
      return this.state.told ?? this.props.children;
    }
  }
  const root = createRoot(page, { onCaughtError: () => undefined } as object);
  roots.push(root);
  root.render(h(StrictMode, null, h(Boundary, null, h(WardwireProvider, { connect: () => (wire.start(), wire) }, h(Room, { name: 'chat/a' })))));
  await shows(page, /Make a new client each time/);
});

test('one channel too many is told where it is shown, and the page stays', async () => {
  function Many(): ReactElement {
    const { wire } = useWire();
    for (let at = 0; at < 1000; at += 1) wire?.channel(`chat/${at}`).on('state', () => undefined);
    return wire === null ? h('i') : h(Asked);
  }
  function Asked(): ReactElement {
    const { state } = useChannel('chat/a');
    const { error } = usePresence('chat/a');
    return h('p', null, `${state.kind === 'ended' ? state.error.code : state.kind} ${error?.code}`);
  }
  render(provided(h(Many)));
  await shows(page, 'queue-full queue-full');
});

test('a name that no channel has is told where it is shown, and the page goes on with the next', async () => {
  const said: unknown[] = [];
  let go = (_: string): void => undefined;
  function Asked(): ReactElement {
    const [room, setRoom] = useState('');
    go = setRoom;
    const { state, channel, publish } = useChannel(`chat/${room}`);
    const { error } = usePresence(`chat/${room}`);
    if (state.kind === 'ended') publish({ text: 'in' }).catch((reason: unknown) => said.push(reason === state.error));
    return h('p', null, `${state.kind === 'ended' ? state.error.title : state.kind} ${error?.code ?? 'here'} ${channel?.name}`);
  }
  render(provided(h(Asked)));
  await shows(page, 'Not as documented: `channel` usage undefined');
  go('a');
  await shows(page, 'live here chat/a');
  assert.ok(said.length > 0 && said.every(Boolean));
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

test('who is there is asked for once at a time, after a failure once more is told, and over each connection', async () => {
  const asked: (() => void)[] = [];
  let answer: object = { error: { code: -32003, message: 'no', data: { word: 'rate' } } };
  gate.answer = ({ id, method, params }, { socket }) => {
    if (method !== 'presence') return method === 'subscribe' ? subscribed({ id, method, params }, 0) : {};
    return void asked.push(() => socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...answer })));
  };
  const rendered: string[] = [];
  function Here(): ReactElement {
    const { count, members, error } = usePresence('chat/a');
    rendered.push(`${useChannel('chat/a').state.kind} ${error?.code ?? count} ${members.map(({ from }) => from)}`);
    return h('p', null, rendered.at(-1));
  }
  const joined = (count: number, ...names: string[]): void => {
    gate.peers.at(-1)!.notify('joined', { channel: 'chat/a', count, ...(names.length > 0 ? { members: names.map((from) => ({ from })) } : { truncated: true }) });
  };
  /** How often it was asked, once what was told has had its effect. */
  const questions = async (): Promise<number> => {
    for (let round = 0; round < 2; round += 1) await wires[0]!.ping();
    return asked.length;
  };
  render(provided(h(Here)));
  await live();
  joined(1, 'alice');
  for (const many of [200, 300, 400]) joined(many);
  assert.equal(await questions(), 1);
  asked.at(-1)!();
  await shows(page, 'live rate ');
  assert.equal(await questions(), 1);
  joined(500, 'bob');
  assert.equal(await questions(), 2);
  joined(501);
  answer = { result: { count: 501, members: [{ from: 'bob' }] } };
  asked.at(-1)!();
  await shows(page, 'live 501 bob');
  assert.equal(await questions(), 3);
  gate.peers[0]!.socket.terminate();
  await shows(page, /waiting/);
  await live();
  assert.equal(await questions(), 4);
  answer = { result: { count: 1, members: [{ from: 'carol' }] } };
  asked.at(-1)!();
  await shows(page, 'live 1 carol');
  assert.deepEqual(rendered.filter((line) => line.includes('disconnected')), []);
  gate.peers.at(-1)!.notify('revoked', { channel: 'chat/a', reason: 'claims-changed' });
  await shows(page, 'ended revoked ');
});

test('who comes and goes while it is asked who is there counts more than the answer, which may be older', async () => {
  const asked: (() => void)[] = [];
  gate.answer = ({ id, method, params }, { socket }) => {
    if (method !== 'presence') return method === 'subscribe' ? subscribed({ id, method, params }, 0) : {};
    const result = { count: 2, members: [{ from: 'alice' }, { from: 'carol' }] };
    return void asked.push(() => socket.send(JSON.stringify({ jsonrpc: '2.0', id, result })));
  };
  function Here(): ReactElement {
    const { count, members } = usePresence('chat/a');
    return h('p', null, `${useChannel('chat/a').state.kind} ${count} ${members.map(({ from }) => from)}`);
  }
  render(provided(h(Here)));
  await live();
  const tell = (method: string, count: number, from: string): void =>
    gate.peers.at(-1)!.notify(method, { channel: 'chat/a', count, members: [{ from }] });
  // The first question, and one that is asked although it is known who is there.
  for (let round = 0; round < 2; round += 1) {
    while (asked.length === round) await wires[0]!.ping();
    tell('joined', 3, 'bob');
    tell('left', 2, 'alice');
    await wires[0]!.ping();
    asked[round]!();
    await shows(page, 'live 2 carol,bob');
    if (round === 0) gate.peers.at(-1)!.notify('joined', { channel: 'chat/a', count: 2, truncated: true });
  }
});

test('of a channel that ever more join, no more members are kept than a page can mean', async () => {
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : { count: 0, members: [] });
  function Here(): ReactElement {
    const { count, members } = usePresence('chat/a');
    return h('p', null, `${count} ${members.length} ${members.at(-1)?.from}`);
  }
  render(provided(h(Here)));
  await shows(page, '0 0 undefined');
  for (let at = 1; at <= 11; at += 1) {
    const members = Array.from({ length: 100 }, (_, of) => ({ from: `${at}-${of}` }));
    gate.peers[0]!.notify('joined', { channel: 'chat/a', count: at * 100, members });
  }
  await shows(page, '1100 1000 11-99');
});
