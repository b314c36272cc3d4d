// A page in Chromium that has its messages echoed, for `browser-BYTES-SOCKETS` (benches/load/src/works/browser.rs).
//
// The first line of standard input is what is to be done: { certificate, port, tokens, sockets, bytes }; tokens, one for
// each socket, where the server asks for proof. Standard output has a line `open {...}` with what Chromium negotiated, then
// the number of messages that have come back since the last line. After a line `one` a single socket goes on, and
// `alone {"p50": µs, "p99": µs}` ends it. The end of standard input closes the browser.

import { X509Certificate, createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

const PAGE = 'https://localhost/';
const ALONE_MS = 2000;

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) throw new Error(`There is no ${executablePath}: apt-get install chromium, or set CHROMIUM.`);

const say = (line) => process.stdout.write(`${line}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const wanted = JSON.parse((await lines.next()).value);

// The run's certificate is known by its key, as the other works know it by its bytes.
const { publicKey } = new X509Certificate(readFileSync(wanted.certificate));
const spki = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // The page comes from no address, which is taken for one out in the Internet that calls at a home.
    '--disable-features=LocalNetworkAccessChecks',
    '--host-resolver-rules=MAP localhost 127.0.0.1',
    `--ignore-certificate-errors-spki-list=${spki}`,
  ],
});
try {
  await measure(await browser.newPage());
} finally {
  await browser.close();
}

async function measure(page) {
  // Isolated from other origins, a page's clock is good to 5 µs.
  const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  await page.route(PAGE, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>', headers }));
  const negotiated = await security(page);
  await page.exposeFunction('report', say);
  await page.goto(PAGE);
  await page.evaluate(open, wanted);
  say(`open ${JSON.stringify({ browser: browser.version(), ...negotiated() })}`);
  await page.evaluate(() => globalThis.begin());
  await lines.next();
  say(`alone ${JSON.stringify(await page.evaluate((span) => globalThis.alone(span), ALONE_MS))}`);
  await lines.next();
}

/** What the tickets' request was sent over. A WebSocket's own is not told. */
async function security(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let found = {};
  session.on('Network.responseReceived', ({ response }) => {
    if (response.securityDetails && response.url.includes('/.wardwire/')) {
      const { protocol, keyExchangeGroup, cipher } = response.securityDetails;
      found = { protocol, group: keyExchangeGroup, cipher, http: response.protocol };
    }
  });
  return () => found;
}

/** In the page: opens the sockets, and says how messages are sent on them. */
async function open({ port, tokens, sockets, bytes }) {
  const host = `localhost:${port}`;
  const message = 'abcdefghijklmnopqrstuvwxyz'.repeat(Math.ceil(bytes / 26)).slice(0, bytes);
  const all = [];
  for (let index = 0; index < sockets; index += 1) all.push(await enter(tokens?.[index]));
  let back = 0;
  let reports;

  globalThis.begin = () => {
    for (const socket of all) {
      socket.onmessage = () => {
        back += 1;
        socket.send(message);
      };
      socket.onclose = () => globalThis.report('closed');
      socket.send(message);
    }
    reports = setInterval(() => {
      globalThis.report(String(back));
      back = 0;
    }, 10);
  };

  globalThis.alone = async (span) => {
    const [one] = all;
    clearInterval(reports);
    for (const socket of all) socket.onmessage = null;
    // What is on the way comes home.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const times = [];
    const end = performance.now() + span;
    while (performance.now() < end) {
      const start = performance.now();
      const came = new Promise((resolve) => (one.onmessage = resolve));
      one.send(message);
      const { data } = await came;
      if (data !== message) throw new Error('what came back is not what was sent');
      times.push((performance.now() - start) * 1000);
    }
    times.sort((a, b) => a - b);
    const at = (part) => times[Math.floor(part * (times.length - 1))];
    return { p50: at(0.5), p99: at(0.99) };
  };

  async function enter(token) {
    const protocols = token === undefined ? [] : ['wardwire.raw', `wardwire.ticket.${await ticket(token)}`];
    const socket = new WebSocket(`wss://${host}/echo`, protocols);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('the socket did not open'));
    });
    return socket;
  }

  async function ticket(token) {
    const answer = await fetch(`https://${host}/.wardwire/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ route: '/echo' }),
      credentials: 'omit',
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return (await answer.json()).ticket;
  }
}
