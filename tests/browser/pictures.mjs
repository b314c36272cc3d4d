// The pictures of the demos in README and docs: `node tests/browser/pictures.mjs FOLDER`, with WARDWIRE_BIN as for the tests, then
// `pngquant --force --ext .png --speed 1 FOLDER/demo*.png`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';

import { openChromium } from './chromium.mjs';
import { demoServer } from './server.mjs';
import { bubble, enterRoom, phone, say, signIn } from './visitor.mjs';

const folder = argv[2] ?? 'docs';
const size = { width: 1360, height: 860 };

const server = await demoServer();
const { browser, close } = await openChromium(server.ca);

async function enter(account, path, colorScheme = 'light', more = {}) {
  const context = await browser.newContext({ viewport: size, colorScheme, reducedMotion: 'reduce', ...more });
  const page = await context.newPage();
  await page.goto(server.url + path);
  await signIn(page, account);
  return page;
}

/** Waits for a moment in which this machine has nothing else to do, and takes the picture. */
async function take(page, name) {
  await page.waitForFunction(() => parseFloat(document.querySelector('[data-testid=latency]').textContent) < 10, null, { timeout: 120_000, polling: 500 });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function chat() {
  const [alice, bob] = [await enter('alice', '/chat'), await enter('bob', '/chat')];
  for (const page of [alice, bob]) await enterRoom(page, 'lobby');
  await alice.getByTestId('attack-hostile-same-site').locator('[data-part=run]').click();
  await say(alice, 'Hello Bob, is the gate <em>shut</em>?');
  await bubble(bob, 'alice', 'shut').waitFor();
  await say(bob, 'Shut and <b>bolted</b>. How it has to open is in <a href="https://www.rfc-editor.org/rfc/rfc6455">RFC 6455</a>.');
  await bubble(alice, 'bob', 'bolted').waitFor();
  await alice.getByTestId('try-long').click();
  await bubble(alice, 'alice', 'Refused').waitFor();
  // The script in it stays out.
  await bob.getByTestId('try-script').click();
  await bubble(alice, 'bob', 'Nice picture').waitFor();
  await alice.waitForFunction(() => document.querySelectorAll('.trips polyline[points*=" "]').length > 0, null, { timeout: 60_000 });
  const typing = setInterval(() => void bob.getByTestId('message').pressSequentially('h').catch(() => undefined), 700);
  await alice.getByTestId('typing').getByText('bob is typing').waitFor();
  await take(alice, 'demo').finally(() => clearInterval(typing));
  const held = await enter('alice', '/chat', 'dark', phone);
  await bubble(held, 'bob', 'Nice picture').waitFor();
  await held.getByTestId('room-lobby').evaluate((room) => scrollTo(0, room.getBoundingClientRect().top - 150));
  await held.screenshot({ path: join(folder, 'demo-phone.png') });
}

async function market() {
  const page = await enter('alice', '/market', 'dark');
  await page.getByRole('button', { name: 'ORCA' }).click();
  await page.getByTestId('bad-order').click();
  await page.getByTestId('answer').getByText('Refused').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.trips polyline[points*=" "]').length > 0, null, { timeout: 60_000 });
  await page.waitForTimeout(15_000);
  await take(page, 'demo-market');
}

async function arena() {
  const bob = await enter('bob', '/arena');
  await bob.getByTestId('robot').click();
  const alice = await enter('alice', '/arena');
  await alice.getByTestId('robot').click();
  await alice.waitForFunction(() => document.querySelectorAll('#scores li').length === 2, null, { timeout: 60_000 });
  await alice.getByTestId('field').focus();
  await take(alice, 'demo-arena');
}

try {
  mkdirSync(folder, { recursive: true });
  for (const picture of [chat, market, arena]) await picture();
} finally {
  await close();
  await server.stop();
}
