// npm `undici`: the WebSocket that Node itself has, with a dispatcher for the authority and headers.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Agent, WebSocket } from 'undici';

import { binary, ca, limit, text, ticket, token, url } from './gate.mjs';

const dispatcher = new Agent({ connect: { ca } });
after(() => dispatcher.close());
const bearer = { dispatcher, headers: { authorization: `Bearer ${token}` } };

const next = (socket, event) => new Promise((resolve) => socket.addEventListener(event, resolve, { once: true }));

async function open(how) {
  const socket = new WebSocket(url, how);
  socket.binaryType = 'arraybuffer';
  const failed = next(socket, 'error').then((event) => Promise.reject(event.error ?? new Error(event.message)));
  await Promise.race([next(socket, 'open'), failed]);
  failed.catch(() => undefined);
  return socket;
}

async function exchange(socket) {
  for (const sent of [text, 'x'.repeat(limit), binary, Buffer.alloc(limit, 7)]) {
    socket.send(sent);
    const { data } = await next(socket, 'message');
    if (typeof sent === 'string') assert.equal(data, sent);
    else assert.ok(Buffer.from(data).equals(sent));
  }
  socket.close(1000);
  const { code } = await next(socket, 'close');
  assert.equal(code, 1000);
}

test('undici enters with a bearer token and exchanges messages up to the limit', async () => {
  await exchange(await open(bearer));
});

test('undici enters with a ticket, which is not selected as the subprotocol', async () => {
  const socket = await open({ dispatcher, protocols: ['wardwire.raw', await ticket()] });
  assert.equal(socket.protocol, 'wardwire.raw');
  await exchange(socket);
});

test('undici is closed with 1009 for messages over the limit', async () => {
  for (const message of ['x'.repeat(limit + 1), Buffer.alloc(limit + 1)]) {
    const socket = await open(bearer);
    socket.send(message);
    const { code } = await next(socket, 'close');
    assert.equal(code, 1009);
  }
});

test('undici is refused without a credential', async () => {
  const socket = new WebSocket(url, { dispatcher });
  socket.addEventListener('error', () => undefined);
  let opened = false;
  socket.addEventListener('open', () => (opened = true));
  const { code } = await next(socket, 'close');
  assert.equal(code, 1006);
  assert.equal(opened, false);
});
