// The way in and what there is inside, in Firefox: its own `fetch`, cookies, `WebSocket` and module loader.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openFirefox } from './firefox.mjs';
import { demoServer } from './server.mjs';

let server;
let firefox;
before(async () => {
  server = await demoServer();
  firefox = await openFirefox(server.ca);
});
after(async () => {
  await firefox?.close();
  await server?.stop();
});

/** In the page: waits for what a selector names, in which a text stands. */
function shown(selector, text = '') {
  return new Promise((resolve) => {
    const look = () => [...document.querySelectorAll(selector)].some((item) => item.textContent.includes(text)) && (changes.disconnect(), resolve());
    const changes = new MutationObserver(look);
    changes.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  });
}

const click = (selector) => document.querySelector(selector).click();

/** In the page: a client of its own opens, publishes, hears itself and closes. */
async function talk(text) {
  const { connect, session } = await import('/client/index.js');
  const wire = connect('/live', { auth: session() });
  const states = [];
  wire.on('state', ({ kind }) => states.push(kind));
  const room = wire.channel('chat/lobby');
  const heard = room.messages();
  await room.subscribe();
  const { position, duplicate } = await room.publish({ text });
  const { value } = await heard.next();
  wire.close();
  return { states, duplicate, same: value.position === position, from: value.from, text: value.data.text, last: await heard.next() };
}

/** In the page: the drop-in for `WebSocket`, against an echo. */
async function echo() {
  const { SecureWebSocket } = await import('/client/index.js');
  const socket = new SecureWebSocket('/echo');
  socket.binaryType = 'arraybuffer';
  const next = (name) => new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
  await next('open');
  socket.send('text');
  const text = (await next('message')).data;
  socket.send(Uint8Array.of(1, 2, 3));
  const bytes = [...new Uint8Array((await next('message')).data)];
  socket.close(3001, 'enough');
  const { code, reason, wasClean } = await next('close');
  return { text, bytes, code, reason, wasClean };
}

test('one signs in, opens, publishes, receives and closes', async () => {
  const page = await firefox.visit(`${server.url}/chat`);
  await page(shown, '[data-testid=sign-in-alice]');
  await page(click, '[data-testid=sign-in-alice]');
  await page(shown, '[data-testid=status][data-state=open]');
  await page(shown, '#room[data-state=live]');
  assert.deepEqual(await page(talk, 'Hello from Firefox'), {
    states: ['open', 'ended'],
    duplicate: false,
    same: true,
    from: 'alice',
    text: 'Hello from Firefox',
    last: { done: true },
  });
  // The page itself has heard it too.
  await page(shown, '[data-testid=messages] [data-from=alice]', 'Hello from Firefox');
  assert.deepEqual(await page(echo), { text: 'text', bytes: [1, 2, 3], code: 3001, reason: 'enough', wasClean: true });
  await page(click, '[data-testid=sign-out]');
  await page(shown, '[data-testid=sign-in-alice]');
  assert.deepEqual(firefox.errors, []);
});

test('who is not signed in is told so by the client, and by what stands in for a WebSocket', async () => {
  const page = await firefox.visit(`${server.url}/chat`);
  const refused = await page(async () => {
    const { connect, SecureWebSocket, session } = await import('/client/index.js');
    const wire = connect('/live', { auth: session() });
    const { reason } = await new Promise((resolve) => wire.on('state', (state) => state.kind === 'ended' && resolve(state)));
    const socket = new SecureWebSocket('/echo');
    const { code } = await new Promise((resolve) => socket.addEventListener('close', resolve));
    return [reason.error.status, reason.error.code, code, socket.refusal.status];
  });
  assert.deepEqual(refused, [401, 'unauthenticated', 1006, 401]);
});
