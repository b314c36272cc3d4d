// Our own client and a token that ends: who brings a fresh one in time keeps the socket, and who does not is refused.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bearer, connect } from '../../packages/client/dist/index.js';
import { accessToken, jwks } from './issuer.mjs';
import { ownServer } from './own-server.mjs';
import { trusting } from './trusting.mjs';

const configuration = `hosts = ["localhost"]
origins = ["https://app.example.com"]
[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"
jwks_file = "id.jwks.json"
[[route]]
path = "/live"
native_clients = true
`;

test('a socket outlives its token where a fresh one is brought in time, and only there', async (t) => {
  const server = await ownServer(configuration, { 'id.jwks.json': jwks });
  t.after(server.stop);
  const opened = (token) => {
    const wire = connect(`wss://localhost:${server.port}/live`, { auth: bearer(token), platform: trusting(readFileSync(server.ca)) });
    t.after(() => wire.close());
    const states = [];
    wire.on('state', (state) => states.push(state));
    return { wire, states, ended: new Promise((resolve) => wire.on('state', (state) => state.kind === 'ended' && resolve(state))) };
  };
  const short = await accessToken('short', '5s');
  const given = [short, await accessToken('long', '10m')];
  const renewed = opened(() => given.shift());
  const stale = opened(() => short);

  const { reason } = await stale.ended;
  assert.deepEqual([reason.kind, reason.error.status, reason.error.code], ['refused', 401, 'expired']);
  assert.ok(stale.states.some((state) => state.kind === 'waiting' && state.reason.word === 'expired'), 'it asked anew, once the socket had ended');
  assert.deepEqual(renewed.states.map(({ kind }) => kind), ['open'], 'one socket, from first to last');
  assert.equal(given.length, 0);
  await renewed.wire.ping();
});
