// `SecureWebSocket` beside the browser's own `WebSocket`: each behaviour is asked of both in the same page, against the same
// route, and has to come out alike. What differs on purpose stands at the end. The table of all is in docs/websocket.md.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer, patienceMs } from './server.mjs';
import { signIn } from './visitor.mjs';
import closing from './websocket/closing.mjs';
import constructing from './websocket/constructing.mjs';
import differences from './websocket/differences.mjs';
import events from './websocket/events.mjs';
import theInterface from './websocket/interface.mjs';
import { ask } from './websocket/page.mjs';
import sending from './websocket/sending.mjs';

const parts = { 'The interface': theInterface, 'The constructor': constructing, Sending: sending, Events: events, Closing: closing };
const document = new URL('../../docs/websocket.md', import.meta.url);

let server;
let chromium;
/** Of two users in turn, as one may have so many tickets that were not used. */
const pages = [];
before(async () => {
  server = await demoServer();
  chromium = await openChromium(server.ca);
  for (const account of ['alice', 'bob']) {
    // The demo's page may speak to its own server only, of which a `WebSocket` is not told.
    const page = await (await chromium.browser.newContext({ bypassCSP: true })).newPage();
    page.setDefaultTimeout(patienceMs);
    await page.goto(server.url);
    await signIn(page, account);
    pages.push(page);
  }
});
after(async () => {
  await chromium?.close();
  await server?.stop();
});

/** What each behaviour came to, of the one and of the other. */
async function asked(behaviours) {
  const named = Object.entries(behaviours).map(([name, { of }]) => `${JSON.stringify(name)}: ({ ${asMethod(of)} }).of`);
  const [page] = pages.reverse();
  const results = await page.evaluate(`(${ask})({ ${named.join(',\n')} })`);
  assert.deepEqual(Object.keys(results), Object.keys(behaviours));
  return Object.entries(results);
}

/** A behaviour as text: methods are written as such, arrow functions by their name. */
function asMethod(of) {
  const text = String(of);
  return /^(async\s+)?of\s*\(/.test(text) ? text : `of: ${text}`;
}

for (const [part, behaviours] of Object.entries(parts)) {
  test(`${part}: SecureWebSocket does what WebSocket does`, async (t) => {
    for (const [name, { native, secure }] of await asked(behaviours)) {
      await t.test(name, () => {
        assert.doesNotMatch(String(native), /^came to no end$|^[A-Za-z]*Error: /);
        assert.deepEqual(secure, native);
      });
    }
  });
}

test('SecureWebSocket differs from WebSocket as it is meant to', async (t) => {
  for (const [name, came] of await asked(differences)) {
    const { native, secure } = differences[name];
    await t.test(name, () => assert.deepEqual(came, { native, secure }));
  }
});

test('the document names what is compared', () => {
  const lines = Object.entries(parts).flatMap(([part, behaviours]) => Object.entries(behaviours).map(([name, { wpt }]) => `| ${part} | ${name} | ${wpt.map((file) => `\`${file}\``).join(', ')} |`));
  const tables = [`| part | behaviour | of web-platform-tests' \`websockets/\` |\n| --- | --- | --- |\n${lines.join('\n')}`];
  const shown = (value) => [value].flat().map((one) => `\`${one}\``).join(', ');
  const apart = Object.entries(differences).map(([name, { native, secure }]) => `| ${name} | ${shown(native)} | ${shown(secure)} |`);
  tables.push(`| difference | \`WebSocket\` | \`SecureWebSocket\` |\n| --- | --- | --- |\n${apart.join('\n')}`);
  const text = readFileSync(document, 'utf8');
  let at = 0;
  const made = text.replace(/(<!-- made -->\n)[^]*?(<!-- end -->)/g, (_, begin, end) => `${begin}${tables[at++]}\n${end}`);
  if (process.env.WRITE_DOCS !== undefined) writeFileSync(document, made);
  else assert.equal(text, made, 'write it anew with WRITE_DOCS=1');
});
