/** What an application gives to be called may fail: that stops nothing, and is told where its own errors are. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { bearer, remedyFor, type WardwireError } from '../src/index.js';
import { Gate, reaches, subscribed } from './gate.js';
import { uncaught } from './uncaught.js';

let gate: Gate;
beforeEach(async () => void (gate = await Gate.open()));
afterEach(() => gate.close());

const mistake = (): never => {
  throw new RangeError('the application’s own');
};

test('a listener that throws stops no other, nor the client, and its error is uncaught', async (context) => {
  const seen = uncaught(context);
  gate.answer = (call) => (call.method === 'subscribe' ? subscribed(call, 0) : {});
  const client = gate.client();
  const told: string[] = [];
  client.on('state', mistake);
  client.on('state', ({ kind }) => told.push(kind));
  client.start();
  const peer = await gate.nextPeer();
  await reaches(client, 'open');
  const room = client.channel('a');
  room.on('publication', mistake);
  const heard = new Promise((resolve) => room.on('publication', resolve));
  await room.subscribe();
  peer.publish('a', 'one', 1);
  await heard;
  assert.ok((await client.ping()) >= 0);
  assert.deepEqual([told, seen.map(String)], [['connecting', 'open'], Array(3).fill('RangeError: the application’s own')]);
});

test('who fails to name an attempt has it named, is told, and gets in and out', async (context) => {
  const seen = uncaught(context);
  const client = gate.client({ newTrace: mistake });
  client.start();
  const peer = await gate.nextPeer();
  const { trace } = await reaches(client, 'open');
  assert.match(trace, /^[\w-]{8,64}$/);
  assert.deepEqual([gate.seen[0]?.headers['wardwire-trace'], peer.protocols.at(-1)], [trace, `wardwire.trace.${trace}`]);
  await client.signOut();
  assert.equal(gate.seen.at(-1)?.method, 'DELETE');
  assert.deepEqual(seen.map(String), Array(2).fill('RangeError: the application’s own'));
});

test('what names no attempt is told where it was given, and another name taken: the client gets in and out', async (context) => {
  const seen = uncaught(context);
  for (const given of ['short', 'x'.repeat(65), 'a name', 'ümlaut-ümlaut', '', 12345678, undefined, null]) {
    const client = gate.client({ newTrace: () => given as string });
    client.start();
    const { trace } = await reaches(client, 'open');
    assert.match(trace, /^[\w-]{8,64}$/);
    assert.notEqual(trace, String(given));
    await client.signOut();
    assert.deepEqual(seen.splice(0).map((error) => remedyFor(error as WardwireError)), Array(2).fill('Not as documented: `newTrace`. Give a function that returns 8 to 64 letters, digits, `_` and `-`.'), String(given));
  }
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const client = gate.client({ newTrace: () => parent });
  client.start();
  assert.equal((await reaches(client, 'open')).trace, parent);
  assert.deepEqual(seen, []);
});

test('a token function that fails before the token has ended loses nothing, and is told of when it is asked again', async () => {
  let asked = 0;
  const client = gate.client({ auth: bearer(() => ((asked += 1) === 1 ? 'a-token' : mistake())) });
  client.start();
  const peer = await gate.nextPeer();
  await reaches(client, 'open');
  const expiring = new Promise((resolve) => client.on('expiring', resolve));
  peer.notify('expiring', { expires_at: 1_900_000_000 });
  await expiring;
  assert.ok((await client.ping()) >= 0);
  assert.deepEqual([asked, client.state.kind, peer.calls.map((call) => call.method)], [2, 'open', ['ping']]);
  const refused = new Promise<WardwireError>((resolve) => client.on('state', (state) => state.kind === 'waiting' && state.reason.kind === 'refused' && resolve(state.reason.error)));
  peer.socket.close(3008, 'expired');
  const { code, cause } = await refused;
  assert.deepEqual([code, String(cause)], ['credential-function', 'RangeError: the application’s own']);
});
