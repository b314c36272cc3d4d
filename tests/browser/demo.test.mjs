// "Try to break in", as people see it: every button is pressed, and what JavaScript saw and what the audit log says is read
// from the page.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { overHttp2 } from './server.mjs';
import { assertNoSidewaysScroll, demo, pages, phone } from './visitor.mjs';

const { running, enter } = demo();

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

test('page and sockets come over the HTTP that the server was told to speak', async () => {
  const { page, context, leave } = await enter('alice', '/');
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  const answered = once(wire, 'Network.webSocketHandshakeResponseReceived');
  await page.reload();
  const [{ response }] = await answered;
  // RFC 8441 §5.1: over HTTP/2 there is no 101.
  assert.equal(response.status, overHttp2 ? 200 : 101);
  const hops = await page.evaluate(() => performance.getEntriesByType('navigation').map((it) => it.nextHopProtocol));
  assert.deepEqual(hops, [overHttp2 ? 'h2' : 'http/1.1']);
  await leave();
});

test('every attack comes to nothing, and the audit log names each attempt', async () => {
  const { page, leave } = await enter('alice', '/chat');
  for (const attack of attacks) await pressAndRead(page, attack);
  assert.equal(await page.evaluate(() => 'brokenIn' in window), false);
  await leave();
});

test('the browser really gives the cookie to the neighbour, and it still does not get in', async () => {
  const { page, context, leave } = await enter('alice', '/');
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  const offered = [];
  wire.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => offered.push(request.headers));
  await pressAndRead(page, attacks.find(({ id }) => id === 'hostile-same-site'));
  const hostile = offered.find(({ Origin }) => Origin !== new URL(running.server.url).origin);
  assert.match(hostile?.Cookie ?? '', /^__Host-wardwire=/, 'without the cookie this would be the easy case again');
  await leave();
});

async function pressAndRead(page, { id, verdict, saw, event, reason, stage, code }) {
  const card = page.getByTestId(`attack-${id}`);
  await card.locator('[data-part=run]').click();
  await card.and(page.locator('[data-state=done]')).waitFor();
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

test('"Run all" runs them all and counts, beside every demo', async () => {
  for (const path of pages) {
    const { page, leave } = await enter('bob', path);
    await page.getByTestId('run-all').click();
    await page.getByTestId('summary').getByText(`${attacks.length} of ${attacks.length}`).waitFor();
    await leave();
  }
});

test('an attack and what came of it fit on a phone', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, leave } = await enter('alice', '/', { ...phone, colorScheme });
    await pressAndRead(page, attacks[0]);
    await assertNoSidewaysScroll(page);
    await leave();
  }
});

test('text and binary come back whole up to the limit, and one byte more ends the socket', async () => {
  const { page, leave } = await enter('alice', '/');
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
