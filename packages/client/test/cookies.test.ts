/** A session's cookie opens a socket by itself; where it does not, the request for a ticket says why. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { SecureWebSocket, session, type SecureWebSocketOptions, type Wire } from '../src/index.js';
import { Gate, ownSocket, type Peer, reaches, subscribed } from './gate.js';

let gate: Gate;
beforeEach(async () => {
  gate = await Gate.open();
});
afterEach(() => gate.close());

const welcome = (handle: unknown) => (peer: Peer) => peer.notify('welcome', { handle });

function visitor(): Wire {
  return gate.client({ auth: session() });
}

test('a cookie opens a socket without a ticket, once it was said whose it is', async () => {
  const arrived = gate.nextPeer();
  gate.greet = () => undefined;
  const client = visitor();
  client.start();
  const peer = await arrived;
  assert.deepEqual(peer.protocols.slice(0, 2), ['wardwire.v1', 'wardwire.session']);
  const ponged = new Promise((resolve) => peer.socket.once('pong', resolve));
  peer.socket.ping();
  await ponged;
  assert.equal(client.state.kind, 'connecting');
  welcome('alice')(peer);
  await reaches(client, 'open');
  assert.deepEqual([gate.seen.length, gate.peers.length], [0, 1]);

  // It is said once.
  welcome('bob')(peer);
  await client.ping();
  assert.equal(client.state.kind, 'open');
});

test('who was refused or not told whose the socket is asks for a ticket, in the same attempt', async () => {
  const broken = [
    undefined,
    welcome(null),
    welcome(7),
    (peer: Peer) => peer.publish('a', 'before it was said whose the socket is', 1),
    (peer: Peer) => peer.socket.close(3000, 'expired'),
    (peer: Peer) => peer.socket.send('{'),
  ];
  for (const greet of broken) {
    const before = gate.tickets().length;
    gate.greet = greet;
    const client = visitor();
    const attempts: number[] = [];
    client.on('state', (state) => state.kind === 'connecting' && attempts.push(state.attempt));
    client.start();
    await reaches(client, 'open');
    assert.deepEqual([gate.tickets().length, attempts], [before + 1, [0, 0]]);
    client.close();
  }
});

test('a refusal tells its true reason all the same', async () => {
  gate.refusals.push({ status: 401, code: 'unauthenticated' });
  const client = visitor();
  client.start();
  const { reason } = await reaches(client, 'ended');
  assert.deepEqual([reason.kind, reason.kind === 'refused' && reason.error.code], ['refused', 'unauthenticated']);
  assert.deepEqual([gate.tickets().length, gate.peers.length], [1, 0]);
});

test('who comes back after a failure asks for a ticket, which a busy gate refuses more cheaply', async () => {
  gate.greet = welcome('alice');
  gate.handle = 'alice';
  const client = visitor();
  const [first, second] = [gate.nextPeer(), gate.nextPeer()];
  client.start();
  const { socket } = await first;
  await reaches(client, 'open');
  socket.close(1012, 'restart');
  const { protocols } = await second;
  assert.ok(protocols.some((it) => it.startsWith('wardwire.ticket.')), String(protocols));
  await reaches(client, 'open');
  assert.equal(gate.tickets().length, 1);
});

test('a cookie that is another user\'s now wipes what the one before left, and asks for nothing of it', async () => {
  gate.greet = welcome('alice');
  gate.answer = (call) => subscribed(call, 1);
  const client = visitor();
  const heard: string[] = [];
  client.on('signed-out', ({ by }) => heard.push(by));
  client.start();
  await client.channel('mine').subscribe();
  client.channel('mine').on('publication', () => assert.fail('a handler outlived its user'));
  client.close();

  gate.greet = welcome('bob');
  client.start();
  const { reason } = await reaches(client, 'ended');
  assert.deepEqual([reason.kind === 'signed-out' && reason.by, heard], ['another-user', ['another-user']]);
  assert.deepEqual(gate.peers[1]?.calls, []);
  client.start();
  await reaches(client, 'open');
  assert.deepEqual([gate.seen.length, gate.peers[2]?.calls], [0, []]);
});

test('SecureWebSocket opens by the cookie alone, and tells why it did not', async () => {
  gate.select = () => 'wardwire.raw';
  const secure = async (): Promise<SecureWebSocket> => {
    const options = { platform: ownSocket } as SecureWebSocketOptions;
    const socket = new SecureWebSocket(`${gate.origin}/echo`, [], options);
    await new Promise((resolve) => (socket.onopen = socket.onclose = resolve));
    return socket;
  };
  gate.greet = () => undefined;
  const open = await secure();
  assert.deepEqual([open.readyState, open.protocol, gate.seen.length], [1, '', 0]);
  assert.deepEqual(gate.peers[0]?.protocols.slice(0, 2), ['wardwire.raw', 'wardwire.session']);

  gate.greet = undefined;
  gate.refusals.push({ status: 401, code: 'unauthenticated' });
  const refused = await secure();
  assert.deepEqual([refused.readyState, refused.refusal?.code, gate.tickets().length], [3, 'unauthenticated', 1]);

  const byTicket = await secure();
  assert.deepEqual([byTicket.readyState, gate.tickets().length], [1, 2]);
});
