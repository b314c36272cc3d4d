// Attacks 63 and 64 through the chat, in a browser that parses what was delivered: inert where the server sanitises, inert
// where it does not, and inert where the server itself is hostile.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertInert, hostile, lying, watched } from './hostile.mjs';
import { bubble, demo, enterRoom, publish, say } from './visitor.mjs';

const { enter } = demo();

/** Nothing in the messages is more than text and the few elements that chat is made of, nor anything around them, and nothing ran. */
async function assertSaidInert(page) {
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
    return odd;
  });
  assert.deepEqual(found, []);
  await assertInert(page);
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
      await assertSaidInert(each);
    }
    if (room === 'raw') {
      const shown = await page.locator('[data-part=text]').allTextContents();
      assert.deepEqual(shown.slice(-1 - hostile.length, -1), hostile.map((html, at) => `${html} end of ${at}.`));
    }
    // Who comes later gets the same out of the history.
    await page.reload();
    await enterRoom(page, room);
    await bubble(page, 'bob', 'That was all.').waitFor();
    await assertSaidInert(page);
    for (const visitor of [mallet, { leave }]) await visitor.leave();
  });
}

test('attack 63 is inert where the server itself delivers it as HTML', async () => {
  const lie = (value, payloads) => {
    const [, at] = /^payload (\d+)$/.exec(value.text) ?? [];
    return at === undefined ? value : { ...value, text: `${payloads[at]} end of ${at}.` };
  };
  const prepare = lying(lie, hostile);
  // Chromium asks the policy about handlers that its sanitiser is about to take out.
  const { page, leave } = await enter('alice', '/chat', { prepare, blocks: 'expected' });
  await enterRoom(page, 'lobby');
  for (const at of hostile.keys()) await say(page, `payload ${at}`);
  await say(page, 'That was all.');
  await bubble(page, 'alice', 'That was all.').getByText('Delivered').waitFor();
  const shown = await page.locator('[data-part=text]').allTextContents();
  assert.ok(shown.some((text) => text.endsWith(`end of ${hostile.length - 1}.`)), 'the server did not lie');
  await assertSaidInert(page);
  await leave();
});

test('attack 64: keys that reach into prototypes are refused, and from a server that lies they are plain data', async () => {
  const keys = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"prototype":{"polluted":true},';
  // Each object of each frame has them.
  const lie = (value, more) => (Array.isArray(value) ? value : JSON.parse(JSON.stringify(value).replace(/^\{(?=.)/, more).replace(/,\}$/, '}')));
  const prepare = lying(lie, keys);
  const { page, leave } = await enter('alice', '/chat', { prepare });
  await enterRoom(page, 'raw');
  const refused = await publish(page, 'chat/raw', ['{"__proto__":{"polluted":true}}', '{"a":[{"constructor":1}]}', '{"prototype":1}']);
  assert.deepEqual(refused, ['content', 'content', 'content']);
  const names = await Promise.all(['chat/__proto__', 'chat/constructor', '__proto__'].map((name) => publish(page, name, ['{}'])));
  assert.deepEqual(names.flat(), ['forbidden', 'forbidden', 'forbidden']);
  await say(page, '__proto__');
  await bubble(page, 'alice', '__proto__').getByText('Delivered').waitFor();
  await assertSaidInert(page);
  await leave();
});
