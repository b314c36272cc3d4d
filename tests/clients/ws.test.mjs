// npm `ws`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import WebSocket from 'ws';

import { binary, ca, limit, packed, text, ticket, token, url } from './gate.mjs';

const bearer = { ca, headers: { authorization: `Bearer ${token}` } };

async function open(...how) {
  const socket = new WebSocket(url, ...how);
  await once(socket, 'open');
  return socket;
}

async function exchange(socket) {
  for (const sent of [text, 'x'.repeat(limit), binary, Buffer.alloc(limit, 7)]) {
    socket.send(sent);
    const [received, isBinary] = await once(socket, 'message');
    assert.equal(isBinary, typeof sent !== 'string');
    assert.ok(received.equals(Buffer.from(sent)));
  }
  socket.close(1000);
  const [code] = await once(socket, 'close');
  assert.equal(code, 1000);
}

test('ws enters with a bearer token and exchanges messages up to the limit', async () => {
  await exchange(await open(bearer));
});

test('ws enters with a ticket, which is not selected as the subprotocol', async () => {
  const socket = await open(['wardwire.raw', await ticket()], { ca });
  assert.equal(socket.protocol, 'wardwire.raw');
  await exchange(socket);
});

test('ws exchanges compressed messages up to the limit, on a route that compresses', async () => {
  const socket = new WebSocket(packed, { ...bearer, perMessageDeflate: { threshold: 0 } });
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  assert.equal(socket.extensions, 'permessage-deflate');
  const { socket: wire } = response;
  const before = wire.bytesRead;
  socket.send('x'.repeat(limit));
  const [echo] = await once(socket, 'message');
  assert.equal(echo.toString(), 'x'.repeat(limit));
  assert.ok(wire.bytesRead - before < limit / 10, 'the echo came compressed');
  await exchange(socket);
});

test('ws is closed with 1009 for what inflates to more than the limit', async () => {
  const socket = new WebSocket(packed, bearer);
  await once(socket, 'open');
  socket.send('x'.repeat(limit + 1));
  const [code] = await once(socket, 'close');
  assert.equal(code, 1009);
});

for (const kind of ['text', 'binary']) {
  test(`ws is closed with 1009 for a ${kind} message over the limit`, async () => {
    const socket = await open(bearer);
    socket.send(Buffer.alloc(limit + 1, 0x78), { binary: kind === 'binary' });
    const [code] = await once(socket, 'close');
    assert.equal(code, 1009);
  });
}

test('ws is refused without a credential', async () => {
  const socket = new WebSocket(url, { ca });
  socket.on('error', () => undefined);
  const [, response] = await once(socket, 'unexpected-response');
  assert.equal(response.statusCode, 401);
  response.destroy();
});
