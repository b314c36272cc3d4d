// Our own client and a server's rates: an application that says more than it may is held back, and never closed for it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bearer, connect, history } from '../../packages/client/dist/index.js';
import { accessToken, jwks } from './issuer.mjs';
import { ownServer } from './own-server.mjs';
import { trusting } from './trusting.mjs';

const configuration = `hosts = ["localhost"]
origins = ["https://app.example.com"]
[limits]
messages_per_second = 100
subscriptions = 1000
[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"
jwks_file = "id.jwks.json"
[[route]]
path = "/live"
native_clients = true
[[channel]]
name = "room/{room}"
subscribe = "authenticated"
publish = "authenticated"
[[channel]]
name = "slow/{room}"
subscribe = "authenticated"
publish = "authenticated"
history = { size = 100, ttl = "5m" }
rate = { messages = 5, per = "1s" }
[[channel]]
name = "closed/{room}"
subscribe = "authenticated"
publish = "nobody"
`;

const token = await accessToken('1', '10m');

/** A client of a server with these rates, and how often it was not connected. */
async function client(t, options) {
  const server = await ownServer(configuration, { 'id.jwks.json': jwks });
  t.after(server.stop);
  const wire = connect(`wss://localhost:${server.port}/live`, { auth: bearer(() => token), platform: trusting(readFileSync(server.ca)), ...options });
  t.after(() => wire.close());
  const lost = [];
  wire.on('state', ({ kind, reason }) => kind !== 'open' && kind !== 'connecting' && lost.push(reason));
  await new Promise((resolve) => wire.on('state', ({ kind }) => kind === 'open' && resolve()));
  return { wire, lost };
}

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

test('what is published over a channel’s rate is held back and published once, beside what others may', async (t) => {
  const { wire, lost } = await client(t);
  const room = wire.channel('slow/a');
  const slow = numbers(40).map((n) => room.publish(n));
  const other = wire.channel('room/b').publish('now');
  await other;
  await Promise.all(slow);
  assert.deepEqual(lost, []);
  const { publications } = await history(room, { limit: 100 });
  assert.deepEqual(publications.map(({ data }) => data).sort((a, b) => a - b), numbers(40));
});

test('more channels than a socket may ask for in a second are all followed, left and followed again', async (t) => {
  const { wire, lost } = await client(t);
  const rooms = numbers(150).map((n) => wire.channel(`room/${n}`));
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(rooms.map((room) => room.subscribe()));
    for (const room of rooms) room.unsubscribe();
  }
  await wire.ping();
  assert.deepEqual(lost, []);
});

test('who asks in vain over and over is held back too', async (t) => {
  const { wire, lost } = await client(t, { publishTimeoutMs: 5000 });
  const outcomes = await Promise.allSettled(numbers(60).map((n) => wire.channel(`closed/${n}`).publish(n)));
  assert.deepEqual(lost, []);
  assert.equal(outcomes.every(({ reason }) => ['forbidden', 'not-sent'].includes(reason?.code)), true);
});
