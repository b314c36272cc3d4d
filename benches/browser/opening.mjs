// What opening a socket takes, in round trips, for `opening` (benches/load/src/works/opening.rs): prints [name, unit, value] of
// each figure as JSON, and is given the number of the round.
//
// WARDWIRE_BIN is started behind a network of a fixed round trip. Its pages are of two other origins: one of another site,
// whose user has an access token, and one of the same site, whose user has a cookie of the application's.

import { X509Certificate, createHash } from 'node:crypto';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';

import { ownServer } from '../../tests/clients/own-server.mjs';
import { farFrom } from './far.mjs';
import { install } from './opening-page.mjs';

/** Long beside what both ends take on a busy machine. */
const ROUND_TRIP_MS = 200;
/** Of each way to open a socket in a round. */
const SAMPLES = 3;
const ways = ['WebSocket', 'SecureWebSocket', 'connect'];

const round = Number(process.argv[2] ?? 0);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) throw new Error(`There is no ${executablePath}: apt-get install chromium, or set CHROMIUM.`);

const folder = mkdtempSync(join(tmpdir(), 'wardwire-opening-'));
const pages = await listening(createSecureServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>')));
const application = await listening(createServer((_, response) => response.setHeader('content-type', 'application/json').end('{"sub":"carol"}')));
const mint = (...options) => execFileSync(process.env.WARDWIRE_BIN, ['token', '--key', join(folder, 'issuer.pem'), ...options], { encoding: 'utf8' }).trim();
mint('--new-key');
const sites = {
  ticket: { page: `https://live.example.com:${pages.address().port}/`, token: mint('--issuer', 'https://issuer.test', '--audience', 'bench', '--subject', 'alice') },
  cookie: { page: `https://localhost:${pages.address().port}/`, cookies: [{ name: 'sid', value: 'carols', domain: 'localhost', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' }] },
};
const server = await ownServer(
  `
origins = [${Object.values(sites).map(({ page }) => JSON.stringify(new URL(page).origin))}]

[http2]
websockets = true

[[issuer]]
name = "issuer"
issuer = "https://issuer.test"
audience = "bench"
jwks_file = "issuer.pem.jwks.json"

[forward_auth]
name = "app"
url = "http://127.0.0.1:${application.address().port}/"
cookies = ["sid"]

[outbound]
allow = ["127.0.0.1/32"]

[[route]]
path = "/live"

[[route]]
path = "/echo"
kind = "echo"
`,
  {},
  folder,
);
const certificate = readFileSync(server.ca);
pages.setSecureContext({ cert: certificate, key: readFileSync(join(folder, 'key.pem')) });
const far = await farFrom(server.port, ROUND_TRIP_MS);
const { outputFiles } = await build({
  stdin: { contents: "export { bearer, connect, SecureWebSocket, session } from '@wardwire/client';", resolveDir: import.meta.dirname },
  bundle: true,
  format: 'iife',
  globalName: 'wardwire',
  write: false,
});
const client = outputFiles[0].text;

const figures = [];
try {
  for (const protocol of ['HTTP/1.1', 'HTTP/2']) await measure(protocol);
  console.log(JSON.stringify(figures));
} finally {
  far.close();
  for (const one of [pages, application]) {
    one.close();
    one.closeAllConnections();
  }
  await server.stop();
}

async function measure(protocol) {
  const browser = await launch(protocol);
  try {
    for (const [credential, site] of Object.entries(sites)) {
      const name = (what) => `${protocol}, ${credential}: ${what}`;
      const { sample, leave } = await enter(browser, site);
      const warm = Object.fromEntries(ways.map((way) => [way, []]));
      for (let turn = 0; turn < SAMPLES; turn += 1) {
        for (const way of turned(ways, round + turn)) warm[way].push(await sample(way));
      }
      await leave();
      const of = (way, what) => median(warm[way].map((sample) => sample[what]));
      for (const way of ways) {
        figures.push([name(way), 'trips', of(way, 'trips')]);
        if (way === 'WebSocket') continue;
        figures.push([name(`${way}, more`), 'more', of(way, 'trips') - of('WebSocket', 'trips')]);
        figures.push([name(`${way}, requests before it`), 'requests', of(way, 'requests')]);
      }
      for (const way of ['WebSocket', 'connect']) {
        const { sample, leave } = await enter(browser, site);
        figures.push([name(`${way}, cold`), 'trips', (await sample(way, 'cold')).trips]);
        await leave();
      }
    }
  } finally {
    await browser.close();
  }
}

/** A visitor whose browser knows nothing yet, and what one socket of theirs takes. */
async function enter(browser, { page: address, token, cookies }) {
  const context = await browser.newContext();
  if (cookies !== undefined) await context.addCookies(cookies);
  const page = await context.newPage();
  let requests = 0;
  const session = await context.newCDPSession(page);
  // Preflights among them, but no sockets.
  session.on('Network.requestWillBeSent', () => (requests += 1));
  await page.goto(address);
  await page.addScriptTag({ content: client });
  await page.evaluate(install, { host: `localhost:${server.port}`, token });
  await session.send('Network.enable');
  const sample = async (way, state = 'warm') => {
    // A socket before it, as of an application that comes back, and a ticket in the hand of who opens a bare one.
    await page.evaluate(([way, state]) => globalThis.prepare(way, state), [way, state]);
    requests = 0;
    const before = far.connections;
    const ms = await page.evaluate((way) => globalThis.open(way), way);
    return { trips: ms / ROUND_TRIP_MS, requests, connections: far.connections - before };
  };
  return { sample, leave: () => context.close() };
}

function launch(protocol) {
  const { publicKey } = new X509Certificate(certificate);
  const spki = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=MAP localhost:${server.port} 127.0.0.1:${far.port}, MAP live.example.com 127.0.0.1`,
      `--ignore-certificate-errors-spki-list=${spki}`,
      ...(protocol === 'HTTP/2' ? [] : ['--disable-http2']),
    ],
  });
}

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function turned(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
