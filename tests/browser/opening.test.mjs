// What a page asks before its socket is open: for a ticket, once and without a preflight that was answered lately; with a cookie,
// nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openChromium } from './chromium.mjs';
import { overHttp2, patienceMs } from './server.mjs';
import { openSites } from './sites.mjs';

let world;
let chromium;
before(async () => {
  world = await openSites({ http2: overHttp2 });
  chromium = await openChromium(world.ca, { trust: 'P,,', args: ['--host-resolver-rules=MAP live.example.com 127.0.0.1'] });
});
after(async () => {
  await chromium?.close();
  await world?.stop();
});

/** A page of a site in a browser of its own, and what it asked the server over HTTP for each socket that it opened. */
async function enter({ page: address, token, cookies = [] }) {
  const context = await chromium.browser.newContext();
  context.setDefaultTimeout(patienceMs);
  await context.addCookies(cookies);
  const page = await context.newPage();
  let asked = [];
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  // For the page's icon Chromium asks by itself, when it likes.
  session.on('Network.requestWillBeSent', ({ request }) => {
    const { pathname } = new URL(request.url);
    if (pathname !== '/favicon.ico') asked.push(`${request.method} ${pathname}`);
  });
  await page.goto(address);
  await page.addScriptTag({ content: world.client });
  const opens = async (how) => {
    asked = [];
    const outcome = await page.evaluate(how, { address: `https://localhost:${world.port}`, token });
    // What it was told before has come when this is answered.
    await session.send('Network.enable');
    return { outcome, asked };
  };
  return { opens, leave: () => context.close() };
}

/** In the page: how a connection of the client's comes out. */
function connected({ address, token }) {
  const { bearer, connect, session } = globalThis.wardwire;
  return new Promise((resolve) => {
    const wire = connect(`${address}/live`, { auth: token === undefined ? session() : bearer(() => token) });
    wire.on('state', ({ kind, reason }) => {
      if (kind === 'connecting') return;
      resolve(kind === 'open' ? kind : (reason.error?.code ?? reason.kind));
      wire.close();
    });
  });
}

/** In the page: how a `SecureWebSocket` comes out, on a route that takes sockets of nobody too. */
function secured({ address, token }) {
  const { bearer, SecureWebSocket, session } = globalThis.wardwire;
  const socket = new SecureWebSocket(`${address}/echo`, [], { auth: token === undefined ? session() : bearer(() => token) });
  return new Promise((resolve) => {
    socket.onopen = () => resolve('open');
    socket.onclose = () => resolve(socket.refusal.code);
  });
}

const preflight = 'OPTIONS /.wardwire/tickets';
const ticket = 'POST /.wardwire/tickets';

test('a ticket is asked for once, and the preflight before it is not repeated', async () => {
  const { opens, leave } = await enter(world.sites.ticket);
  const first = await opens(connected);
  assert.deepEqual([first.outcome, first.asked.sort()], ['open', [preflight, ticket]]);
  for (const how of [connected, secured, connected]) assert.deepEqual(await opens(how), { outcome: 'open', asked: [ticket] });
  await leave();
});

test('with a cookie nothing is asked before the socket', async () => {
  const { opens, leave } = await enter(world.sites.cookie);
  for (const how of [connected, secured, connected]) assert.deepEqual(await opens(how), { outcome: 'open', asked: [] });
  await leave();
});

test('who has no cookie any more is told so, also where nobody in particular may come', async () => {
  const { opens, leave } = await enter({ ...world.sites.cookie, cookies: [] });
  for (const how of [connected, secured]) {
    const { outcome, asked } = await opens(how);
    assert.equal(outcome, 'unauthenticated');
    assert.deepEqual(asked.filter((it) => it !== preflight), [ticket]);
  }
  await leave();
});
