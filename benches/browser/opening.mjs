// What opening a socket takes, in round trips, for `opening` (benches/load/src/works/opening.rs): prints [name, unit, value] of
// each figure as JSON, and is given the number of the round.
//
// A server that it starts itself (WARDWIRE_BIN) is reached over a network of a fixed round trip. In pages of two other origins
// sockets are opened: in one of another site by tickets for an access token, in one of the same site with a cookie.

import { openChromium } from '../../tests/browser/chromium.mjs';
import { openSites } from '../../tests/browser/sites.mjs';
import { farFrom } from './far.mjs';
import { install } from './opening-page.mjs';

/** Long beside what both ends take on a busy machine. */
const ROUND_TRIP_MS = 200;
/** Of each way to open a socket in a round. */
const SAMPLES = 3;
const ways = ['WebSocket', 'SecureWebSocket', 'connect'];

const round = Number(process.argv[2] ?? 0);
const figures = [];
for (const protocol of ['HTTP/1.1', 'HTTP/2']) await measure(protocol);
console.log(JSON.stringify(figures));

async function measure(protocol) {
  const world = await openSites({ http2: protocol === 'HTTP/2' });
  const far = await farFrom(world.port, ROUND_TRIP_MS);
  const mapped = `--host-resolver-rules=MAP localhost:${world.port} 127.0.0.1:${far.port}, MAP live.example.com 127.0.0.1`;
  const chromium = await openChromium(world.ca, { trust: 'P,,', args: [mapped] });
  try {
    for (const [proof, site] of Object.entries(world.sites)) await compare(`${protocol}, ${proof}`, () => enter(chromium, world, site));
  } finally {
    await chromium.close();
    far.close();
    await world.stop();
  }
}

/** The client's ways beside the browser's own. */
async function compare(name, visitor) {
  const { sample, leave } = await visitor();
  const samples = Object.fromEntries(ways.map((way) => [way, []]));
  for (let turn = 0; turn < SAMPLES; turn += 1) {
    for (const way of turned(ways, round + turn)) samples[way].push(await sample(way, 'warm'));
  }
  await leave();
  const of = (way, what) => median(samples[way].map((it) => it[what]));
  const bare = of('WebSocket', 'trips');
  figures.push([`${name}: WebSocket`, 'trips', bare]);
  for (const way of ways.slice(1)) {
    figures.push([`${name}: ${way}`, 'trips', of(way, 'trips')]);
    figures.push([`${name}: ${way}, more`, 'more', of(way, 'trips') - bare]);
    figures.push([`${name}: ${way}, requests before it`, 'requests', of(way, 'requests')]);
  }
  for (const way of ['WebSocket', 'connect']) {
    const { sample, leave } = await visitor();
    figures.push([`${name}: ${way}, cold`, 'trips', (await sample(way, 'cold')).trips]);
    await leave();
  }
}

/** A page in a browser that knows nothing yet, and what one socket of its takes. */
async function enter({ browser }, { port, client }, { page: address, token, cookies = [] }) {
  const context = await browser.newContext();
  await context.addCookies(cookies);
  const page = await context.newPage();
  await page.goto(address);
  await page.addScriptTag({ content: client });
  await page.evaluate(install, { host: `localhost:${port}`, token });
  let requests = 0;
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  // Preflights among them, but no sockets.
  session.on('Network.requestWillBeSent', () => (requests += 1));
  const sample = async (way, state) => {
    await page.evaluate(([way, state]) => globalThis.prepare(way, state), [way, state]);
    requests = 0;
    const ms = await page.evaluate((way) => globalThis.open(way), way);
    return { trips: ms / ROUND_TRIP_MS, requests };
  };
  return { sample, leave: () => context.close() };
}

function turned(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
