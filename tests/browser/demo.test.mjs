// The demo as people see it: two of them talk, every button of "Try to break in" is pressed, and what JavaScript saw and
// what the audit log says is read from the page.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer, overHttp2 } from './server.mjs';

const shots = process.env.WARDWIRE_SHOTS;

/** Every attack: the verdict on its chip, a word of what JavaScript saw, and the audit event that names it. */
const attacks = [
  { id: 'hostile-site', verdict: 'Refused', saw: 'never opened', event: 'refusal', reason: 'origin-not-allowed', stage: 'origin' },
  { id: 'hostile-same-site', verdict: 'Refused', saw: 'never opened', event: 'refusal', reason: 'origin-not-allowed', stage: 'origin' },
  { id: 'sandboxed-frame', verdict: 'Refused', saw: 'page origin: null', event: 'refusal', reason: /^origin-/, stage: 'origin' },
  { id: 'no-credential', verdict: 'Refused', saw: 'HTTP 401', event: 'refusal', reason: 'credential-missing', stage: 'identity' },
  { id: 'expired-token', verdict: 'Refused', saw: 'code "expired"', event: 'refusal', reason: 'token-expired', stage: 'identity' },
  { id: 'alg-none', verdict: 'Refused', saw: 'HTTP 401', event: 'refusal', reason: 'token-algorithm', stage: 'identity' },
  { id: 'ticket-twice', verdict: 'Refused', saw: 'never opened', event: 'refusal', reason: 'ticket-unknown', stage: 'identity' },
  { id: 'script-message', verdict: 'Delivered inert', saw: 'window.brokenIn: never set', event: 'admission' },
  { id: 'large-message', verdict: 'Closed 1009', saw: 'close event: code 1009', event: 'close', code: '1009' },
];

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

/** A browser of one's own: no cookie is shared. Fails the test on any error in the page. */
async function visit(options = {}) {
  const context = await chromium.browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted ?Type/i.test(message.text())) errors.push(message.text());
  });
  await page.goto(server.url);
  const leave = async () => {
    await context.close();
    assert.deepEqual(errors, []);
  };
  return { page, context, leave };
}

async function signIn(page, account) {
  await page.getByTestId(`sign-in-${account}`).click();
  await page.locator('[data-testid=status][data-state=open]').waitFor();
}

async function say(page, text) {
  await page.getByTestId('message').fill(text);
  await page.getByTestId('send').click();
}

function bubble(page, from, text) {
  return page.locator(`[data-testid=messages] [data-from="${from}"]`, { hasText: text });
}

async function shoot(page, name) {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: name.startsWith('attacks') });
}

async function shootBoth(page, name) {
  await page.evaluate(() => scrollTo(0, 0));
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await shoot(page, `${name}-${colorScheme}`);
  }
}

async function assertNoSidewaysScroll(page) {
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= view, `the page is ${content} px wide in a window of ${view} px`);
}

test('alice and bob hear each other, and each word is known to be delivered', async () => {
  const [alice, bob] = [await visit(), await visit()];
  await Promise.all([signIn(alice.page, 'alice'), signIn(bob.page, 'bob')]);
  for (const { page } of [alice, bob]) await page.locator('#room[data-joined]').waitFor();
  await say(alice.page, 'Hello Bob, is the gate shut?');
  await bubble(bob.page, 'alice', 'Hello Bob, is the gate shut?').waitFor();
  await say(bob.page, 'Shut & bolted <b>tight</b>.');
  await bubble(alice.page, 'bob', 'Shut & bolted <b>tight</b>.').waitFor();
  await bubble(alice.page, 'alice', 'Delivered').waitFor();
  assert.equal(await alice.page.locator('[data-testid=messages] b').count(), 0);
  assert.equal(await bubble(alice.page, 'alice', 'Hello Bob').count(), 1);
  await pressAndRead(alice.page, attacks[1]);
  await shootBoth(alice.page, 'demo');
  for (const { leave } of [alice, bob]) await leave();
});

test('page and sockets come over the HTTP that the server was told to speak', async () => {
  const { page, context, leave } = await visit();
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  const answered = once(wire, 'Network.webSocketHandshakeResponseReceived');
  await signIn(page, 'alice');
  const [{ response }] = await answered;
  // RFC 8441 §5.1: over HTTP/2 there is no 101.
  assert.equal(response.status, overHttp2 ? 200 : 101);
  const hops = await page.evaluate(() => performance.getEntriesByType('navigation').map((it) => it.nextHopProtocol));
  assert.deepEqual(hops, [overHttp2 ? 'h2' : 'http/1.1']);
  await leave();
});

test('every attack comes to nothing, and the audit log names each attempt', async () => {
  const { page, leave } = await visit();
  await signIn(page, 'alice');
  await page.locator('#room[data-joined]').waitFor();
  for (const attack of attacks) await pressAndRead(page, attack);
  assert.equal(await page.evaluate(() => 'brokenIn' in window), false);
  await shootBoth(page, 'attacks');
  await leave();
});

test('the browser really gives the cookie to the neighbour, and it still does not get in', async () => {
  const { page, context, leave } = await visit();
  await signIn(page, 'alice');
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  const offered = [];
  wire.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => offered.push(request.headers));
  await pressAndRead(page, attacks.find(({ id }) => id === 'hostile-same-site'));
  const hostile = offered.find(({ Origin }) => Origin !== new URL(server.url).origin);
  assert.match(hostile?.Cookie ?? '', /^__Host-wardwire=/, 'without the cookie this would be the easy case again');
  await leave();
});

async function pressAndRead(page, { id, verdict, saw, event, reason, stage, code }) {
  const card = page.getByTestId(`attack-${id}`);
  await card.locator('[data-part=run]').click();
  await card.and(page.locator('[data-state=done]')).waitFor({ timeout: 20_000 });
  const seen = await card.locator('[data-part=saw]').innerText();
  const audited = await card.locator('[data-part=audit]').innerText();
  const told = `${id}\nsaw: ${seen}\naudit: ${audited}`;
  assert.equal(await card.locator('[data-part=verdict]').innerText(), verdict, told);
  assert.ok(seen.includes(saw), told);
  const line = card.locator(`.entry[data-event="${event}"]`).last();
  const field = (name) => line.locator(`[data-field="${name}"]`).innerText();
  if (reason !== undefined) assert.match(await field('reason'), new RegExp(reason), told);
  if (code !== undefined) assert.equal(await field('code'), code, told);
  if (stage !== undefined) assert.equal(await card.locator('[data-part=audit] [data-state=stopped]').innerText(), stage, told);
  // The line is of this very attempt, and the page shows all of it.
  const trace = await card.getAttribute('data-trace');
  assert.ok((await line.locator('pre').textContent()).includes(trace), told);
}

test('"Run all" runs them all and counts', async () => {
  const { page, leave } = await visit();
  await signIn(page, 'bob');
  await page.locator('#room[data-joined]').waitFor();
  await page.getByTestId('run-all').click();
  await page.getByTestId('summary').getByText(`${attacks.length} of ${attacks.length}`).waitFor({ timeout: 60_000 });
  await leave();
});

test('signing out closes, wipes, and leaves nothing to reconnect with, also in another tab', async () => {
  const { page, context, leave } = await visit();
  await signIn(page, 'alice');
  await say(page, 'Gone in a moment.');
  await bubble(page, 'alice', 'Gone in a moment.').waitFor();
  const other = await context.newPage();
  await other.goto(server.url);
  await other.locator('[data-testid=status][data-state=open]').waitFor();

  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in-alice').waitFor();
  await other.getByTestId('sign-in-alice').waitFor();
  assert.match(await other.getByTestId('notice').innerText(), /logged-out/);
  assert.equal(await page.locator('.bubble').count(), 0);
  assert.equal(await page.evaluate(async () => (await fetch('/.wardwire/session')).status), 401);
  await page.reload();
  await page.getByTestId('sign-in-alice').waitFor();
  assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'idle');
  await leave();
});

test('mallory is let in, and told plainly that she may do nothing', async () => {
  const { page, leave } = await visit();
  await signIn(page, 'mallory');
  await page.getByTestId('notice').getByText('Forbidden').waitFor();
  await say(page, 'Let me in');
  await bubble(page, 'mallory', 'Not delivered: forbidden. Ask whoever runs the server for the right').waitFor();
  await shoot(page, 'mallory-light');
  await leave();
});

test('nothing scrolls sideways on a phone, and the keyboard reaches everything', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, leave } = await visit({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme });
    await assertNoSidewaysScroll(page);
    await shoot(page, `phone-signed-out-${colorScheme}`);
    await page.getByTestId('sign-in-alice').focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=status][data-state=open]').waitFor();
    await pressAndRead(page, attacks[0]);
    await assertNoSidewaysScroll(page);
    await shoot(page, `phone-attack-${colorScheme}`);
    await leave();
  }
});

test('the session cookie is out of reach of scripts, and nothing is stored', async () => {
  const { page, context, leave } = await visit();
  await signIn(page, 'alice');
  const reachable = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
  assert.deepEqual(reachable, ['', 0, 0]);
  const cookies = await context.cookies();
  assert.deepEqual(
    cookies.map(({ name, secure, httpOnly, sameSite, path }) => ({ name, secure, httpOnly, sameSite, path })),
    [{ name: '__Host-wardwire', secure: true, httpOnly: true, sameSite: 'Lax', path: '/' }],
  );
  await leave();
});

test('text and binary come back whole up to the limit, and one byte more ends the socket', async () => {
  const { page, leave } = await visit();
  await signIn(page, 'alice');
  const echoed = await page.evaluate(async () => {
    const asked = await fetch('/.wardwire/tickets', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ route: '/echo' }),
    });
    const { subprotocol } = await asked.json();
    const socket = new WebSocket('/echo', ['wardwire.raw', subprotocol]);
    socket.binaryType = 'arraybuffer';
    const next = (event) => new Promise((resolve) => socket.addEventListener(event, resolve, { once: true }));
    await next('open');
    const outcomes = [socket.protocol];
    for (const size of [0, 1, 126, 65535, 65536]) {
      const text = 'x'.repeat(size);
      const bytes = Uint8Array.from({ length: size }, (_, at) => at % 251);
      socket.send(text);
      outcomes.push((await next('message')).data === text);
      socket.send(bytes);
      const back = new Uint8Array((await next('message')).data);
      outcomes.push(back.length === size && back.every((byte, at) => byte === bytes[at]));
    }
    socket.send('x'.repeat(65537));
    const { code, reason } = await next('close');
    return [...outcomes, code, reason];
  });
  assert.deepEqual(echoed, ['wardwire.raw', ...Array(10).fill(true), 1009, 'size']);
  await leave();
});
