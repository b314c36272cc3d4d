// Our own client, where only a real server can tell: what was published before a connection was cut, and what is refused.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as dial, createServer } from 'node:net';
import { test } from 'node:test';

import { bearer, connect, history, presence } from '../../packages/client/dist/index.js';
import { ca, host, otherToken, token } from './gate.mjs';
import { trusting } from './trusting.mjs';

const platform = trusting(ca);
const fast = { backoff: { baseMs: 10, capMs: 20 } };

/** Passes bytes on to the server, and can withhold what it answers, or cut all that goes through. */
async function passage(t) {
  const pairs = new Set();
  let withheld = false;
  const [hostname, port] = host.split(':');
  const server = createServer((near) => {
    const far = dial(Number(port), hostname);
    const pair = { near, far };
    pairs.add(pair);
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => void (withheld || near.write(bytes)));
    for (const end of [near, far]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        near.destroy();
        far.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    url: `wss://localhost:${server.address().port}/live`,
    withhold: () => void (withheld = true),
    cut() {
      for (const { near } of pairs) near.destroy();
      withheld = false;
    },
  };
}

function enters(wire, kind) {
  return new Promise((resolve) => {
    const look = (state) => state.kind === kind && (stop(), resolve(state));
    const stop = wire.on('state', look);
    look(wire.state);
  });
}

test('what was published and cut off before its answer is published once, and its promise kept', async (t) => {
  const way = await passage(t);
  const room = `room/cut-${process.pid}`;
  const reader = connect(`wss://${host}/live`, { auth: bearer(() => token), platform, ...fast });
  const writer = connect(way.url, { auth: bearer(() => token), platform, ...fast });
  t.after(() => (reader.close(), writer.close()));
  const heard = reader.channel(room).messages();
  await reader.channel(room).subscribe();
  await enters(writer, 'open');

  way.withhold();
  const sent = [writer.channel(room).publish({ n: 1 }), writer.channel(room).publish({ n: 2 })];
  // The server has published both, and the writer was told of neither.
  const first = [(await heard.next()).value, (await heard.next()).value];
  assert.deepEqual(first.map(({ data }) => data), [{ n: 1 }, { n: 2 }]);
  way.cut();
  const answers = await Promise.all(sent);
  assert.deepEqual(answers.map(({ position, duplicate }) => ({ position, duplicate })), first.map(({ position }) => ({ position, duplicate: true })));

  const last = await writer.channel(room).publish({ n: 3 });
  assert.equal(last.duplicate, false);
  assert.deepEqual((await heard.next()).value.data, { n: 3 });
  const { publications, complete } = await history(reader.channel(room));
  assert.deepEqual(publications.map(({ data }) => data), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  assert.equal(complete, true);
});

test('what was missed while the connection was cut is read in order and once', async (t) => {
  const way = await passage(t);
  const room = `room/missed-${process.pid}`;
  const reader = connect(way.url, { auth: bearer(() => token), platform, ...fast });
  const writer = connect(`wss://${host}/live`, { auth: bearer(() => token), platform, ...fast });
  t.after(() => (reader.close(), writer.close()));
  const heard = reader.channel(room).messages();
  await reader.channel(room).subscribe();
  await enters(writer, 'open');
  await writer.channel(room).publish(1);
  assert.equal((await heard.next()).value.data, 1);
  way.withhold();
  for (const n of [2, 3]) await writer.channel(room).publish(n);
  way.cut();
  for (const n of [2, 3]) assert.equal((await heard.next()).value.data, n);
  await writer.channel(room).publish(4);
  assert.equal((await heard.next()).value.data, 4);
});

test('content that readers could take in two ways ends the call that it was in, and says where', async (t) => {
  const wire = connect(`wss://${host}/live`, { auth: bearer(() => token), platform, ...fast });
  t.after(() => wire.close());
  await enters(wire, 'open');
  const room = wire.channel(`room/content-${process.pid}`);
  const [before, refused, after] = await Promise.allSettled([room.publish('before'), room.publish(JSON.parse('{"__proto__":1}')), room.publish('after')]);
  assert.deepEqual([before.status, after.status], ['fulfilled', 'fulfilled']);
  assert.equal(refused.reason?.code, 'content');
  assert.deepEqual(refused.reason.data, { word: 'content', pointer: '/__proto__', keyword: 'forbidden-key' });
});

test('who is in a room is told when another user comes and goes, and can ask', async (t) => {
  const name = `room/presence-${process.pid}`;
  const [alice, bob] = [token, otherToken].map((own) => connect(`wss://${host}/live`, { auth: bearer(() => own), platform, ...fast }));
  t.after(() => (alice.close(), bob.close()));
  const room = alice.channel(name);
  const told = (kind, from) =>
    new Promise((resolve) => {
      const stop = room.on(kind, ({ members, count }) => members.some((member) => member.from === from) && (stop(), resolve(count)));
    });
  const [first, second, gone] = [told('joined', 'alice'), told('joined', 'bob'), told('left', 'bob')];
  await room.subscribe();
  assert.equal(await first, 1);
  await bob.channel(name).subscribe();
  assert.equal(await second, 2);
  const { members, ...counted } = await presence(room);
  assert.deepEqual(members.map(({ from }) => from), ['alice', 'bob']);
  assert.deepEqual(counted, { count: 2, anonymous: 0, truncated: false });
  assert.deepEqual(await presence(room, { countOnly: true }), { count: 2, anonymous: 0, members: [], truncated: true });
  bob.close();
  assert.equal(await gone, 1);
  assert.equal((await presence(room, { countOnly: true })).count, 1);
});
