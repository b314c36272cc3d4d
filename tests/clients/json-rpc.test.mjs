// npm `json-rpc-2.0`, which knows JSON-RPC 2.0 and nothing of Wardwire.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { JSONRPCClient, JSONRPCErrorException, JSONRPCServer, JSONRPCServerAndClient } from 'json-rpc-2.0';
import WebSocket from 'ws';

import { ca, live, token } from './gate.mjs';

/** Its client and its server at two ends of one socket, and the first publication that comes. */
async function open(t) {
  const socket = new WebSocket(live, 'wardwire.v1', { ca, headers: { authorization: `Bearer ${token}` } });
  // A test that fails leaves it open, and this process would not end.
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const peer = new JSONRPCServerAndClient(
    new JSONRPCServer(),
    new JSONRPCClient((request) => socket.send(JSON.stringify(request))),
  );
  const publication = new Promise((resolve) => peer.addMethod('publication', resolve));
  socket.on('message', (data) => peer.receiveAndSend(JSON.parse(data.toString())));
  socket.on('close', (code) => peer.rejectAllPendingRequests(`closed with ${code}`));
  return { socket, peer, publication };
}

async function leave({ socket }) {
  socket.close(1000);
  const [code] = await once(socket, 'close');
  assert.equal(code, 1000);
}

test('json-rpc-2.0 calls, is called back, and hears of its own publication', async (t) => {
  const wire = await open(t);
  assert.deepEqual(await wire.peer.request('ping', {}), {});
  const joined = await wire.peer.request('subscribe', { channel: 'room/1' });
  assert.equal(joined.channel, 'room/1');
  const sent = { text: 'Grüße, 世界 🛰️', numbers: [1, 2.5, -3], none: null };
  const { position } = await wire.peer.request('publish', { channel: 'room/1', data: sent });
  const told = await wire.publication;
  assert.deepEqual(told.data, sent);
  assert.equal(told.position, position);
  assert.equal(told.from, 'alice');
  await leave(wire);
});

test('json-rpc-2.0 catches up from where another of its sockets was', async (t) => {
  const first = await open(t);
  await first.peer.request('subscribe', { channel: 'room/kept' });
  const { position } = await first.peer.request('publish', { channel: 'room/kept', data: 0 });
  await leave(first);
  const second = await open(t);
  for (const data of [1, 2, 3]) await second.peer.request('publish', { channel: 'room/kept', data });
  const again = await second.peer.request('subscribe', { channel: 'room/kept', since: position });
  assert.equal(again.recovered, true);
  assert.deepEqual(again.publications.map((it) => it.data), [1, 2, 3]);
  await leave(second);
});

test('json-rpc-2.0 is told by code and data what was wrong, and goes on', async (t) => {
  const wire = await open(t);
  const refused = async (method, params, code, data) => {
    await assert.rejects(wire.peer.request(method, params), (error) => {
      assert.ok(error instanceof JSONRPCErrorException);
      assert.equal(error.code, code);
      assert.ok(error.message.length > 0);
      assert.deepEqual(error.data, data);
      return true;
    });
  };
  await refused('subscribe', { channel: 'closed' }, -32001, { word: 'forbidden' });
  await refused('subscribe', { channel: 'nowhere' }, -32001, { word: 'forbidden' });
  await refused('nothing', {}, -32601, { word: 'method' });
  await refused('subscribe', { channels: 'room/1' }, -32602, { word: 'params', pointer: '/channel' });
  assert.deepEqual(await wire.peer.request('ping', {}), {});
  await leave(wire);
});

test('json-rpc-2.0 sends a batch and gets each of its answers', async (t) => {
  const wire = await open(t);
  const call = (id, method, params) => ({ jsonrpc: '2.0', id, method, params });
  const answers = await wire.peer.requestAdvanced([
    call('a', 'subscribe', { channel: 'room/batch' }),
    call(2, 'publish', { channel: 'room/batch', data: 'hello' }),
    call(3, 'subscribe', { channel: 'closed' }),
  ]);
  const byId = new Map(answers.map((answer) => [answer.id, answer]));
  assert.equal(byId.size, 3);
  assert.equal(byId.get('a').result.channel, 'room/batch');
  assert.equal(byId.get(2).result.position, (await wire.publication).position);
  assert.equal(byId.get(3).error.code, -32001);
  await leave(wire);
});
