// `SecureWebSocket` beside the browser's own `WebSocket`, as a table of behaviours: each is asked of both in the same page,
// against the same route, and has to come out alike. What differs on purpose stands at the end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer } from './server.mjs';

let server;
let chromium;
before(async () => {
  server = await demoServer();
  chromium = await openChromium(server.ca);
});
after(async () => {
  await chromium?.close();
  await server?.stop();
});

/** Runs in the page. Gives what each behaviour comes to, as JSON, of the one and of the other. */
async function table() {
  const { SecureWebSocket } = await import('/client/index.js');
  const url = `wss://${location.host}/echo`;

  /** The browser's own, with a ticket that was fetched by hand. */
  const native = {
    Socket: WebSocket,
    async dial() {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch('/.wardwire/tickets', { method: 'POST', headers, body: JSON.stringify({ route: '/echo' }) });
      return new WebSocket(url, ['wardwire.raw', (await answer.json()).subprotocol]);
    },
  };
  const secure = { Socket: SecureWebSocket, dial: async () => new SecureWebSocket(url) };

  const next = (socket, name) => new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
  const outcome = (action) => {
    try {
      const value = action();
      return value instanceof EventTarget ? 'made' : String(value);
    } catch (error) {
      return error.name;
    }
  };
  const open = async ({ dial }) => {
    const socket = await dial();
    await next(socket, 'open');
    return socket;
  };
  const ended = async (socket) => {
    const { code, reason, wasClean, type, bubbles, cancelable } = await next(socket, 'close');
    return [code, reason, wasClean, type, bubbles, cancelable, socket.readyState];
  };
  const echoed = async (side, sent, type) => {
    const socket = await open(side);
    if (type !== undefined) socket.binaryType = type;
    const came = next(socket, 'message');
    socket.send(sent);
    const { data, origin, lastEventId, ports, source, target } = await came;
    const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
    socket.close();
    const shown = typeof data === 'string' ? data : [...new Uint8Array(bytes)];
    return [Object.prototype.toString.call(data), shown, origin, lastEventId, ports.length, source, target === socket];
  };

  const behaviours = {
    'addresses': ({ Socket }) => ['nonsense', 'ftp://localhost/', 'wss://localhost/#part', 'wss://', 'mailto:a@b'].map((bad) => outcome(() => new Socket(bad === 'nonsense' ? 'http://' : bad))),
    'protocols': ({ Socket }) => [['a', 'a'], ['a', 'A'], ['a b'], [''], 'a,b', ['é'], ['a', '\u0000']].map((bad) => outcome(() => new Socket(url, bad))),
    'without new, and without an address': ({ Socket }) => [outcome(() => Socket(url)), outcome(() => new Socket())],
    'constants of the class': ({ Socket }) => [Socket.CONNECTING, Socket.OPEN, Socket.CLOSING, Socket.CLOSED],
    'at the beginning': async ({ dial }) => {
      const socket = await dial();
      const { url: address, readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose, CONNECTING, OPEN, CLOSING, CLOSED } = socket;
      socket.close();
      return [address, readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose, CONNECTING, OPEN, CLOSING, CLOSED, socket instanceof EventTarget];
    },
    'sending too early': async ({ dial }) => {
      const socket = await dial();
      const said = outcome(() => socket.send('early'));
      socket.close();
      return said;
    },
    'codes and reasons of close': async ({ dial }) => {
      const tried = [[0], [999], [1001], [1006], [2999], [5000], [65536 + 1000], [-1], [NaN], ['x'], [null], [1000, 'é'.repeat(62)]];
      const socket = await dial();
      const said = tried.map((how) => outcome(() => socket.close(...how)));
      socket.close();
      return said;
    },
    'codes that are as good as 1000': async (side) => {
      const all = [];
      for (const code of ['1000', 1000.4, 999.6]) {
        const socket = await open(side);
        const said = outcome(() => socket.close(code));
        socket.close();
        all.push([said, ...(await ended(socket))]);
      }
      return all;
    },
    'closing before it is open': async ({ dial }) => {
      const socket = await dial();
      const order = [];
      for (const name of ['open', 'error', 'close']) socket.addEventListener(name, () => order.push([name, socket.readyState]));
      socket.close();
      const between = socket.readyState;
      return [between, await ended(socket), order];
    },
    'closing without a code': async (side) => {
      const socket = await open(side);
      const end = ended(socket);
      socket.close();
      return [socket.readyState, await end];
    },
    'closing with code and reason, and what is sent then': async (side) => {
      const socket = await open(side);
      const end = ended(socket);
      socket.close(3001, 'grüße');
      const between = socket.readyState;
      socket.send('12345');
      socket.send(new Uint8Array(3));
      socket.send(12);
      socket.close(3002, 'again');
      const all = [between, socket.bufferedAmount, await end];
      socket.send('é');
      return [...all, socket.bufferedAmount, outcome(() => socket.close())];
    },
    'kinds of data as bytes': (side) => Promise.all([Uint8Array.of(0, 255).buffer, new DataView(Uint8Array.of(1, 2, 3).buffer, 1), new Blob(['ab'])].map((data) => echoed(side, data, 'arraybuffer'))),
    'kinds of data as blobs': (side) => echoed(side, Uint8Array.of(7)),
    'kinds of data as text': (side) => Promise.all(['', 'grüße 🛰', 12, null, undefined, { a: 1 }, 'half \ud800'].map((data) => echoed(side, data))),
    'sending nothing at all': async (side) => {
      const socket = await open(side);
      const said = outcome(() => socket.send());
      socket.close();
      return said;
    },
    'kinds of bytes': async ({ dial }) => {
      const socket = await dial();
      const seen = [];
      for (const type of ['arraybuffer', 'nonsense', '', null, 'blob']) {
        socket.binaryType = type;
        seen.push(socket.binaryType);
      }
      socket.close();
      return seen;
    },
    'handlers and listeners': async (side) => {
      const socket = await open(side);
      const order = [];
      socket.onmessage = () => order.push('replaced');
      socket.addEventListener('message', () => order.push('second'));
      socket.onmessage = function (event) {
        order.push(['handler', this === socket, event.currentTarget === socket]);
      };
      socket.onclose = 'no function';
      const heard = [typeof socket.onmessage, socket.onclose];
      const came = next(socket, 'message');
      socket.send('x');
      await came;
      socket.onmessage = null;
      heard.push(socket.onmessage);
      const second = next(socket, 'message');
      socket.send('y');
      await second;
      socket.close();
      return [heard, order];
    },
    'messages in order': async (side) => {
      const socket = await open(side);
      const seen = [];
      const all = new Promise((resolve) => (socket.onmessage = ({ data }) => seen.push(data) === 20 && resolve()));
      for (let n = 0; n < 20; n += 1) socket.send(String(n));
      await all;
      socket.close();
      return seen;
    },
  };
  const results = {};
  for (const [name, behaviour] of Object.entries(behaviours)) {
    const of = async (side) => JSON.parse(JSON.stringify(await behaviour(side)));
    results[name] = { native: await of(native), secure: await of(secure) };
  }
  const own = await open(secure);
  const foreign = await open(native);
  results['on purpose'] = [own.protocol, foreign.protocol, outcome(() => new SecureWebSocket(`${url}?token=1`)), own.refusal];
  own.close();
  foreign.close();
  return results;
}

test('SecureWebSocket does what WebSocket does', { timeout: 60_000 }, async (t) => {
  const context = await chromium.browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByTestId('sign-in-alice').click();
  await page.locator('[data-testid=status][data-state=open]').waitFor();
  const { 'on purpose': differs, ...results } = await page.evaluate(table);
  for (const [name, { native, secure }] of Object.entries(results)) await t.test(name, () => assert.deepEqual(secure, native));
  assert.deepEqual(differs, ['', 'wardwire.raw', 'SyntaxError', null]);
  await context.close();
});
