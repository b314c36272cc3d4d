import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, SecureWebSocket, type SecureWebSocketOptions, tickets } from '../src/index.js';
import { Gate, ownSocket } from './gate.js';

let gate: Gate;
const opened: SecureWebSocket[] = [];
beforeEach(async () => void (gate = await Gate.open()));
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.close();
  await gate.close();
});

function dial(protocols: string | string[] = [], options: SecureWebSocketOptions = {}): SecureWebSocket {
  gate.select = (offered) => (offered.includes('chat') ? 'chat' : 'wardwire.raw');
  const socket = new SecureWebSocket(`${gate.origin}/echo`, protocols, { auth: bearer(() => 'secret-token'), platform: ownSocket, ...options });
  opened.push(socket);
  return socket;
}

function next<T extends Event>(socket: SecureWebSocket, name: string): Promise<T> {
  return new Promise((resolve) => socket.addEventListener(name, (event) => resolve(event as T), { once: true }));
}

const named = (name: string) => (error: unknown) => error instanceof DOMException && error.name === name;

test('it opens with a ticket, echoes text and bytes, and shows the application no protocol of ours', async () => {
  const socket = dial();
  assert.deepEqual([socket.readyState, socket.CONNECTING, SecureWebSocket.CLOSED, socket.binaryType], [0, 0, 3, 'blob']);
  assert.throws(() => socket.send('early'), named('InvalidStateError'));
  socket.binaryType = 'arraybuffer';
  socket.binaryType = 'nonsense' as 'blob';
  await next(socket, 'open');
  assert.deepEqual([socket.readyState, socket.protocol, socket.binaryType], [1, '', 'arraybuffer']);
  assert.equal(socket.url, `${gate.origin.replace('http', 'ws')}/echo`);
  assert.deepEqual(gate.peers[0]?.protocols.slice(0, 2), ['wardwire.raw', 'wardwire.ticket.ticket-of-one-use-1']);
  assert.deepEqual(JSON.parse(gate.tickets()[0]!.body), { route: '/echo' });
  socket.send('text');
  const first = await next<MessageEvent>(socket, 'message');
  assert.deepEqual([first.data, first.origin], ['text', gate.origin.replace('http', 'ws')]);
  socket.send(Uint8Array.of(0, 255));
  assert.deepEqual(new Uint8Array((await next<MessageEvent>(socket, 'message')).data), Uint8Array.of(0, 255));
});

test('a protocol of the application is the one it sees, and none selected is no connection', async () => {
  const chat = dial(['other', 'chat']);
  await next(chat, 'open');
  assert.equal(chat.protocol, 'chat');
  const other = dial('other');
  other.onopen = () => assert.fail('opened without its protocol');
  const failed = next(other, 'error');
  const { code, wasClean } = await next<CloseEvent>(other, 'close');
  await failed;
  assert.deepEqual([code, wasClean, other.readyState, other.refusal?.code], [1006, false, 3, 'malformed-answer']);
});

test('a handshake that fails is an error and a close with 1006', async () => {
  gate.http.prependListener('upgrade', (_, socket) => socket.destroy());
  const socket = dial();
  const told: string[] = [];
  for (const name of ['error', 'close']) socket.addEventListener(name, () => told.push(name));
  const { code, wasClean } = await next<CloseEvent>(socket, 'close');
  assert.deepEqual([told, code, wasClean, socket.readyState, socket.refusal], [['error', 'close'], 1006, false, 3, null]);
});

test('a refusal is an error and a close with 1006, and its true reason can be read', async () => {
  gate.refusals.push({ status: 403, code: 'origin-not-allowed' });
  const socket = dial();
  const order: string[] = [];
  socket.onerror = () => order.push('error');
  socket.onclose = () => order.push('close');
  await next(socket, 'close');
  assert.deepEqual([order, socket.refusal?.code, socket.refusal?.status], [['error', 'close'], 'origin-not-allowed', 403]);
});

test('closing before it is open fails it once, and nothing opens later', async () => {
  const socket = dial();
  let knocks = 0;
  gate.http.prependListener('upgrade', () => void (knocks += 1));
  const seen: string[] = [];
  for (const name of ['open', 'error', 'close']) socket.addEventListener(name, () => seen.push(name));
  socket.close(1000, 'never mind');
  assert.equal(socket.readyState, 2);
  socket.close();
  await next(socket, 'close');
  socket.close();
  assert.equal(socket.readyState, 3);
  let give: (ticket: string) => void = () => undefined;
  const slow = dial([], { auth: tickets(() => new Promise((resolve) => (give = resolve))) });
  slow.close();
  give('ticket-that-comes-too-late');
  await next(slow, 'close');
  const later = dial();
  await next(later, 'open');
  assert.deepEqual(seen, ['error', 'close']);
  assert.deepEqual([gate.peers.length, knocks], [1, 1]);
});

test('who closes it at once, or before it began, asks for no ticket', async () => {
  const auth = tickets(() => assert.fail('asked'));
  const socket = dial([], { auth });
  socket.close();
  await next(socket, 'close');
  const aborted = dial([], { auth, signal: AbortSignal.abort() });
  await next(aborted, 'close');
  assert.deepEqual([socket.refusal, aborted.refusal, aborted.readyState], [null, null, 3]);
});

test('it closes as the original does', async () => {
  const socket = dial();
  await next(socket, 'open');
  for (const code of [0, 999, 1001, 1006, 2999, 5000]) assert.throws(() => socket.close(code), named('InvalidAccessError'), String(code));
  assert.throws(() => socket.close(1000, 'é'.repeat(62)), named('SyntaxError'));
  const asked = new Promise((resolve) => gate.peers[0]?.socket.on('close', (code, reason) => resolve([code, String(reason)])));
  socket.close(3001, 'bye');
  assert.equal(socket.readyState, 2);
  socket.send('12345');
  const { code, reason, wasClean } = await next<CloseEvent>(socket, 'close');
  assert.deepEqual([code, reason, wasClean], [3001, 'bye', true]);
  assert.deepEqual(await asked, [3001, 'bye']);
  assert.equal(socket.bufferedAmount, 5);
  socket.send(new Uint8Array(3));
  assert.equal(socket.bufferedAmount, 8);
});

test('while it closes because the server began it is closing, as the original', async () => {
  let resolve: (line: Duplex) => void;
  const replied = new Promise<Duplex>((it) => (resolve = it));
  // Says that it closes, and keeps the line open until the other side has said so too.
  const closing = (request: IncomingMessage, socket: Duplex): void => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: wardwire.raw\r\n\r\n`);
    socket.once('data', () => resolve(socket));
    socket.write(Buffer.from([0x88, 2, 3, 232]));
  };
  gate.http.removeAllListeners('upgrade').once('upgrade', closing);
  const socket = dial();
  const line = await replied;
  const states = [socket.readyState];
  socket.send('counted');
  socket.close();
  states.push(socket.readyState);
  line.end();
  const { code, wasClean } = await next<CloseEvent>(socket, 'close');
  assert.deepEqual([states, code, wasClean, socket.readyState], [[2, 2], 1000, true, 3]);
});

test('a server that closes is heard with its code and reason, and a signal closes', async () => {
  const abort = new AbortController();
  const socket = dial();
  await next(socket, 'open');
  gate.peers[0]?.socket.close(3000, 'expired');
  const { code, reason, wasClean } = await next<CloseEvent>(socket, 'close');
  assert.deepEqual([code, reason, wasClean], [3000, 'expired', true]);
  const signalled = dial([], { signal: abort.signal });
  await next(signalled, 'open');
  abort.abort();
  await next(signalled, 'close');
  assert.equal(signalled.readyState, 3);
});

test('addresses and protocols that are not fit are refused at the call', () => {
  for (const url of ['ws://example.com/', 'wss://user@example.com/', 'wss://example.com/?token=1', 'wss://example.com/#a', 'ftp://example.com/', 'nonsense']) {
    assert.throws(() => new SecureWebSocket(url), named('SyntaxError'), url);
  }
  for (const protocols of [['a', 'a'], ['a b'], [''], ['wardwire.v1'], ['Wardwire.ticket.x']]) {
    assert.throws(() => new SecureWebSocket('wss://example.com/', protocols), named('SyntaxError'), String(protocols));
  }
});

test('a handler keeps its place among the listeners, and can be taken away', async () => {
  const socket = dial();
  const order: string[] = [];
  socket.onopen = () => order.push('first');
  socket.addEventListener('open', () => order.push('second'));
  socket.onopen = () => order.push('handler');
  socket.onmessage = () => assert.fail('taken away');
  socket.onmessage = null;
  assert.equal(socket.onmessage, null);
  await next(socket, 'open');
  socket.send('x');
  await next(socket, 'message');
  assert.deepEqual(order, ['handler', 'second']);
});
