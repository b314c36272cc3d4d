// Attacks 63 and 64 through the chat, in a browser that parses what was delivered: inert where the server sanitises, inert
// where it does not, and inert where the server itself is hostile.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bubble, demo, enterRoom, say } from './visitor.mjs';

const { enter } = demo();

/** The set of row 63, and what a page could be made to do without any script. */
const hostile = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<a href="javascript:alert(1)">link</a>',
  '<a href="java\tscript:alert(1)">link</a>',
  '<a href="&#106;avascript&colon;alert(1)">link</a>',
  '<a href=" \u0001javascript:alert(1)">link</a>',
  '<math><annotation-xml encoding="text/html"><script>alert(1)</script></annotation-xml></math>',
  '<math href="javascript:alert(1)">link</math>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<template><script>alert(1)</script></template>',
  '<template shadowrootmode=open><img src=x onerror=alert(1)></template>',
  '<scr<script>ipt>alert(1)</script>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<iframe src="javascript:parent.alert(1)"></iframe>',
  '<object data="javascript:alert(1)"></object>',
  '<details open ontoggle=alert(1)><summary>x</summary></details>',
  '<input autofocus onfocus=alert(1)>',
  '<b style="background:url(javascript:alert(1))" id=account class=card onclick=alert(1)>bold</b>',
  '<form id=composer><input name=message></form>',
  '<base href="//evil.example"><link rel=stylesheet href="//evil.example/x.css">',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<style>body{display:none}</style>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
];

/** Fails on whatever came to life: a dialog, a request to elsewhere, a navigation. */
async function watched(context, page) {
  const lively = [];
  await context.addInitScript(() => (globalThis.alert = () => (globalThis.brokenIn = true)));
  page.on('dialog', (dialog) => lively.push(`dialog ${dialog.type()}`));
  context.on('request', (request) => new URL(request.url()).hostname === 'localhost' || lively.push(`request ${request.url()}`));
  page.on('framenavigated', (frame) => new URL(frame.url()).pathname === '/chat' || lively.push(`navigation ${frame.url()}`));
  page.lively = lively;
}

/** Nothing in the messages is more than text and the few elements that chat is made of, and nothing ran. */
async function assertInert(page) {
  const found = await page.getByTestId('messages').evaluate((messages) => {
    const few = ['A', 'B', 'BLOCKQUOTE', 'BR', 'CODE', 'DEL', 'EM', 'I', 'KBD', 'LI', 'MARK', 'OL', 'P', 'PRE', 'S', 'STRONG', 'SUB', 'SUP', 'UL'];
    const odd = [];
    for (const text of messages.querySelectorAll('[data-part=text]')) {
      for (const made of text.querySelectorAll('*')) {
        const safe = (name) => made.tagName === 'A' && (name === 'rel' || (name === 'href' && /^(https?|mailto):/.test(made.getAttribute(name))));
        const names = made.getAttributeNames().filter((name) => !safe(name));
        if (!few.includes(made.tagName) || names.length > 0 || made.shadowRoot !== null) odd.push(made.outerHTML);
      }
    }
    // Handlers that wait for a click get one.
    for (const made of messages.querySelectorAll('[data-part=text] *')) if (!made.closest('a[href]')) made.dispatchEvent(new MouseEvent('click'));
    return { odd, ran: 'brokenIn' in globalThis };
  });
  assert.deepEqual([found, page.lively], [{ odd: [], ran: false }, []]);
}

/** Publishes from the page of somebody, by the client alone, and gives the codes of what was refused. */
function publish(page, channel, texts) {
  return page.evaluate(
    async ([name, all]) => {
      const { connect, session } = await import('/client/index.js');
      const wire = connect('/live', { auth: session() });
      const codes = [];
      for (const data of all) await wire.channel(name).publish(JSON.parse(data)).catch(({ code }) => codes.push(code));
      wire.close();
      return codes;
    },
    [channel, texts],
  );
}

const messages = hostile.map((html, at) => JSON.stringify({ text: `${html} end of ${at}.` }));

for (const [room, how] of [['lobby', 'sanitises'], ['raw', 'cleans nothing']]) {
  test(`attack 63 is inert in a room where the server ${how}`, async () => {
    const mallet = await enter('bob', '/chat', { prepare: watched });
    const { page, leave } = await enter('alice', '/chat', { prepare: watched });
    for (const each of [mallet.page, page]) await enterRoom(each, room);
    // What nothing would be left of is refused.
    const refused = await publish(mallet.page, `chat/${room}`, messages);
    assert.deepEqual([...new Set(refused)], room === 'raw' ? [] : ['invalid']);
    assert.ok(refused.length < 8, String(refused.length));
    await say(mallet.page, 'That was all.');
    for (const each of [mallet.page, page]) {
      await bubble(each, 'bob', 'That was all.').waitFor();
      await assertInert(each);
    }
    if (room === 'raw') {
      const shown = await page.locator('[data-part=text]').allTextContents();
      assert.deepEqual(shown.slice(-1 - hostile.length, -1), hostile.map((html, at) => `${html} end of ${at}.`));
    }
    // Who comes later gets the same out of the history.
    await page.reload();
    await enterRoom(page, room);
    await bubble(page, 'bob', 'That was all.').waitFor();
    await assertInert(page);
    for (const visitor of [mallet, { leave }]) await visitor.leave();
  });
}

/** Has a server that lies: whatever it delivers goes through `lie` first. */
const lying = (lie) => async (context, page) => {
  await watched(context, page);
  await context.routeWebSocket(/\/live$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => socket.send(lie(String(frame))));
  });
};

test('attack 63 is inert where the server itself delivers it as HTML', async () => {
  const prepare = lying((frame) => frame.replace(/"payload (\d+)"/, (_, at) => JSON.stringify(`${hostile[at]} end of ${at}.`)));
  // Chromium asks the policy about handlers that its sanitiser is about to take out.
  const { page, leave } = await enter('alice', '/chat', { prepare, blocks: 'expected' });
  await enterRoom(page, 'lobby');
  for (const at of hostile.keys()) await say(page, `payload ${at}`);
  await say(page, 'That was all.');
  await bubble(page, 'alice', 'That was all.').getByText('Delivered').waitFor();
  const shown = await page.locator('[data-part=text]').allTextContents();
  assert.ok(shown.some((text) => text.endsWith(`end of ${hostile.length - 1}.`)), 'the server did not lie');
  await assertInert(page);
  await leave();
});

test('attack 64: keys that reach into prototypes are refused, and from a server that lies they are plain data', async () => {
  const keys = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"prototype":{"polluted":true},';
  const prepare = lying((frame) => frame.replaceAll('"data":{', `"data":{${keys}`).replaceAll('"params":{', `"params":{${keys}`));
  const { page, leave } = await enter('alice', '/chat', { prepare });
  await enterRoom(page, 'raw');
  const refused = await publish(page, 'chat/raw', ['{"__proto__":{"polluted":true}}', '{"a":[{"constructor":1}]}', '{"prototype":1}']);
  assert.deepEqual(refused, ['content', 'content', 'content']);
  const names = await Promise.all(['chat/__proto__', 'chat/constructor', '__proto__'].map((name) => publish(page, name, ['{}'])));
  assert.deepEqual(names.flat(), ['forbidden', 'forbidden', 'forbidden']);
  await say(page, '__proto__');
  await bubble(page, 'alice', '__proto__').getByText('Delivered').waitFor();
  assert.deepEqual(await page.evaluate(() => [{}.polluted, [].polluted, (() => 0).polluted]), [null, null, null].map(() => undefined));
  await assertInert(page);
  await leave();
});
