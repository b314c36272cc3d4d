// Attacks 63 and 64 on every page, with sanitising off: by a server that lies in whatever it says, where people publish, and in
// its answers over HTTP. Names of users, instruments and errors are attacked as well as what is published.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertInert, hostile, lying, oddNumbers, prototypeWords, someTexts, texts, watched } from './hostile.mjs';
import { assertNoSidewaysScroll, demo, enterRoom, inState, pages, phone, publish, say } from './visitor.mjs';

const { running, visit, enter } = demo();

/** Waits until the page has drawn twice: it is alive, and whatever was to run has run. */
const drawn = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));

test('names of instruments, of users and of rules are text in the market, wherever they are shown', async () => {
  const lie = (value, words) => {
    if (typeof value.data?.price === 'number') {
      globalThis.names ??= new Map();
      if (!names.has(value.data.symbol)) names.set(value.data.symbol, words[names.size % words.length]);
      return { ...value, data: { ...value.data, symbol: names.get(value.data.symbol) } };
    }
    if (value.data?.side !== undefined) {
      globalThis.ordered = (globalThis.ordered ?? 0) + 1;
      return { ...value, data: { ...value.data, symbol: words.at(-ordered % words.length) } };
    }
    // Every other order is refused, in words that hurt.
    if (value.result?.position === undefined || value.result.publications !== undefined) return value;
    globalThis.answered = (globalThis.answered ?? 0) + 1;
    const text = words[((answered >> 1) * 5) % words.length];
    const error = { code: -32006, message: text, data: { word: 'invalid', pointer: `/${text}`, keyword: text } };
    return answered % 2 === 0 ? { jsonrpc: '2.0', id: value.id, error } : value;
  };
  const { page, leave } = await enter('alice', '/market', { ...phone, prepare: lying(lie, texts) });
  await page.waitForFunction((count) => document.querySelectorAll('#rows tr').length === count, texts.length);
  assert.deepEqual((await page.locator('.instrument').allTextContents()).sort(), [...texts].sort());
  // Each is chosen, and stands in the heading and in the form; and each is in what comes of an order.
  for (const at of texts.keys()) {
    const button = page.locator('.instrument').nth(at);
    await button.evaluate((it) => it.click());
    assert.equal(await page.locator('#chosen').textContent(), await button.textContent());
    // With more refusals in a minute than this the client would hold itself back.
    if (at % 5 !== 0) continue;
    await page.locator('#symbol').fill('ZEPH');
    for (const answer of ['Taken after', 'Refused: invalid at']) {
      await page.getByTestId('order').evaluate((it) => it.click());
      await page.getByTestId('answer').getByText(answer).waitFor();
    }
  }
  await page.waitForFunction(() => document.querySelectorAll('#orders li').length === 8);
  await drawn(page);
  await assertInert(page);
  await assertNoSidewaysScroll(page);
  await leave();
});

test('prices that are none, and more instruments than there can be, leave the market as it was', async () => {
  const lie = (value, odds, count) => {
    const { data } = value;
    if (data === undefined || !('position' in value)) return value;
    const odd = odds[count % odds.length];
    const lies = [data, odd, { ...data, price: odd }, { ...data, change: odd }, { symbol: odd, price: 1, change: 1 }, count < 500 ? data : { ...data, symbol: `ZZ${count}`, price: 5e-324 }];
    return { ...value, data: lies[count % lies.length] };
  };
  const { page, leave } = await enter('alice', '/market', { prepare: lying(lie, oddNumbers) });
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 100);
  for (const name of await page.locator('.instrument').allTextContents()) assert.match(name, /^([A-Z]{4}|ZZ\d+|1|<b>1<\/b>)$/);
  const price = page.locator('[data-symbol=ZEPH] .price');
  const first = await price.textContent();
  await page.waitForFunction((before) => document.querySelector('[data-symbol=ZEPH] .price').textContent !== before, first);
  await page.locator('.instrument', { hasText: 'ZZ' }).first().evaluate((it) => it.click());
  await drawn(page);
  assert.equal(await page.locator('#rows tr').count(), 100);
  await assertInert(page);
  await leave();
});

test('names of players are text in the arena, and what is no place and no coin is passed over', async () => {
  const lie = (value, { words, odds }) => {
    const { data } = value;
    if (data?.player === undefined) return value;
    if ('coin' in data) {
      const at = data.turn * 8 + data.coin;
      const odd = odds[at % odds.length];
      const lies = [odd, { ...data, coin: odd }, { ...data, turn: odd }, { ...data, coin: 'length' }, { ...data, coin: '__proto__' }, { ...data, coin: 4e9 }, { ...data, coin: -1 }];
      // Whoever has a hostile name has one coin, and the last one two.
      return { ...value, from: words[Math.min(at >> 1, words.length - 1)], data: at % 2 === 1 ? data : lies[(at >> 1) % lies.length] };
    }
    globalThis.moves = (globalThis.moves ?? 0) + 1;
    const odd = odds[moves % odds.length];
    const from = words[moves % words.length];
    const lies = [odd, { ...data, x: odd }, { ...data, y: odd }, { ...data, player: odd }, { ...data, player: `r${from}` }];
    return { ...value, from, data: moves % 3 === 0 ? data : lies[moves % lies.length] };
  };
  const bob = await enter('bob', '/arena');
  const { page, leave } = await enter('alice', '/arena', { ...phone, prepare: lying(lie, { words: texts, odds: oddNumbers }) });
  const taken = Array.from({ length: 2 * texts.length + 2 }, (_, at) => ({ player: 'robber', coin: at % 8, turn: at >> 3 }));
  const shown = await page.evaluateHandle(() => {
    const names = new Set();
    new MutationObserver(() => document.querySelectorAll('#scores bdi').forEach(({ textContent }) => names.add(textContent))).observe(document.querySelector('#scores'), { childList: true });
    return names;
  });
  assert.deepEqual(await publish(bob.page, 'arena/one/coins', taken), []);
  const most = page.locator('#scores li').first();
  await most.getByText('2', { exact: true }).waitFor();
  assert.equal(await most.locator('bdi').textContent(), texts.at(-1));
  const names = await shown.evaluate((all) => [...all]);
  assert.ok(names.length >= 5 && names.every((name) => texts.includes(name)), String(names));
  // Each lie about each place has been told, and drawn.
  await page.waitForFunction((count) => globalThis.moves > count, texts.length * 6);
  await drawn(page);
  await assertInert(page);
  await assertNoSidewaysScroll(page);
  for (const visitor of [bob, { leave }]) await visitor.leave();
});

test('names of users are text in the chat: who says, who is here, who types', async () => {
  const lie = (value) => ('from' in value && globalThis.named !== undefined ? { ...value, from: globalThis.named } : value);
  const bob = await enter('bob', '/chat');
  const { page, leave } = await enter('alice', '/chat', { ...phone, prepare: lying(lie, []) });
  for (const each of [bob.page, page]) await enterRoom(each, 'lobby');
  const typed = await page.evaluateHandle(() => {
    const all = new Set();
    new MutationObserver(() => all.add(document.querySelector('#typing').textContent)).observe(document.querySelector('#typing'), { childList: true });
    return all;
  });
  for (const [at, text] of texts.entries()) {
    await page.evaluate((name) => (globalThis.named = name), text);
    // Whoever types is told of again only after a while, and by nobody before the channel of that is followed.
    await bob.page.getByTestId('message').press('a');
    await say(bob.page, `as number ${at}.`);
    const said = page.locator('.bubble', { hasText: `as number ${at}.` });
    await said.waitFor();
    assert.equal(await said.locator('.from').textContent(), text);
  }
  const words = await typed.evaluate((all) => [...all].filter((it) => it !== ''));
  assert.ok(words.length > texts.length / 2, String(words.length));
  for (const told of words) assert.ok(texts.includes(told.replace(/ is typing$/, '')), told);
  // Who comes and goes has the last of the names, or came before.
  for (const text of [hostile[1], ...prototypeWords]) {
    await page.evaluate((name) => (globalThis.named = name), text);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await page.getByTestId('pull').click();
    await page.waitForFunction((name) => document.querySelector('#people li')?.dataset.member === name, text);
    assert.equal(await page.locator('#people li').first().evaluate((it) => it.lastChild.data), text);
    await assertInert(page);
  }
  await assertNoSidewaysScroll(page);
  for (const visitor of [bob, { leave }]) await visitor.leave();
});

/** Has a server that lies in what it answers to these paths. */
async function answer(context, answers) {
  for (const [path, [status, body]] of Object.entries(answers)) {
    await context.route((url) => url.pathname === `/.wardwire/${path}`, (route) =>
      route.fulfill({ status, contentType: status < 400 ? 'application/json' : 'application/problem+json', body: JSON.stringify(typeof body === 'function' ? body() : body) }));
  }
}

test('the name of who is signed in is text on every page', async () => {
  await Promise.all(pages.map(async (path) => {
    let subject = '';
    const { page, context, leave } = await enter('alice', path, { ...phone, prepare: watched });
    await answer(context, { session: [200, () => ({ subject, issuer: subject, expires_at: 2e9 })] });
    for (subject of someTexts) {
      await page.reload();
      await page.locator('[data-testid=account]').waitFor({ state: 'attached' });
      assert.equal(await page.getByTestId('account').textContent(), subject);
      await assertInert(page);
      await assertNoSidewaysScroll(page);
    }
    await leave();
  }));
});

test('why one is refused is text on every page, in the address too', async () => {
  await Promise.all(pages.map(async (path) => {
    let text = '';
    // Without a welcome its cookie opens nothing, and the page asks for a ticket, which tells why.
    const { page, context, leave } = await visit(path, { ...phone, prepare: lying((value) => (value.method === 'welcome' ? { ...value, method: 'unwelcome' } : value), []) });
    await answer(context, { tickets: [403, () => ({ status: 403, code: 'forbidden', title: text, detail: text, trace: text })] });
    await page.getByTestId('sign-in-alice').waitFor();
    for (text of someTexts) {
      await page.getByTestId('sign-in-alice').click();
      // Of a title as long as that its begin is told.
      const told = `${text.slice(0, 200)} (forbidden).`;
      await page.waitForFunction((words) => document.querySelector('#sign-in [data-testid=notice]').textContent === words, told);
      await page.getByTestId('events').getByText('Does not try again.').first().waitFor();
      await assertInert(page);
      await assertNoSidewaysScroll(page);
    }
    for (const error of [hostile[0], hostile[1], ...prototypeWords]) {
      await page.goto(`${running.server.url}${path}?error=${encodeURIComponent(error)}`);
      await page.getByTestId('events').getByText('the provider does not say why.').waitFor();
      assert.equal(new URL(page.url()).search, '');
      await assertInert(page);
    }
    await leave();
  }));
});

test('what the audit log and the answers to an attack say is text', async () => {
  for (const text of someTexts) {
    const line = { seq: text, event: 'refusal', reason: text, detail: text, origin: text, subject: text, path: text, status: text, code: text, time: text, stage: text, [text]: text };
    const { page, context, leave } = await enter('alice', '/', { ...phone, prepare: watched });
    await answer(context, { 'demo/audit': [200, [line, { ...line, event: text }, line]] });
    await page.getByTestId('attack-no-credential').locator('[data-part=run]').click();
    await page.locator('[data-testid=attack-no-credential][data-state=done]').waitFor();
    assert.equal(await page.locator('[data-field=reason]').first().textContent(), text);
    await page.locator('.entry details').first().evaluate((it) => (it.open = true));
    await assertInert(page);
    await assertNoSidewaysScroll(page);
    await leave();
  }
});

test('an address that the server names is followed where it is one, and never run', async () => {
  for (const address of ['javascript:alert(1)', 'java\tscript:alert(1)', 'data:text/html,<script>alert(1)</script>', ' ', hostile[0]]) {
    const { page, context, leave } = await enter('alice', '/', { prepare: watched });
    await answer(context, { 'demo/info': [200, { hostile: address, hostile_same_site: address, provider: address }], logout: [200, { continue: address }] });
    await page.reload();
    await inState(page, 'open');
    const answered = page.waitForResponse('**/.wardwire/logout');
    await page.getByTestId('sign-out').click();
    await answered;
    await drawn(page);
    await assertInert(page);
    // The frame is the demo's own.
    await page.getByTestId('attack-sandboxed-frame').locator('[data-part=run]').click();
    await page.locator('[data-testid=attack-sandboxed-frame][data-state=done]').waitFor();
    assert.match(await page.locator('.hostile-frame').getAttribute('src'), /^https:\/\/localhost:\d+\/#/);
    await leave();
  }
});

/** What a page says of a reason: the stable word that it begins with, if it does, and nothing else of it. */
const closed = new Map([
  ['<img src=x onerror=alert(1)>', 'The connection was lost (3000).'],
  ['errors <b>', 'The server closed: errors (3000).'],
  ['errors\u202e', 'The server closed: errors (3000).'],
  ['__proto__', 'The connection was lost (3000).'],
  ['constructor', 'The server closed: constructor (3000).'],
]);

test('the word with which a server closes is a word', async () => {
  for (const [reason, told] of closed) {
    const prepare = async (context, page) => {
      await watched(context, page);
      await context.routeWebSocket(/\/live$/, (socket) => socket.close({ code: 3000, reason }));
    };
    const { page, leave } = await visit('/', { prepare });
    await page.getByTestId('sign-in-alice').click();
    await inState(page, 'ended');
    assert.equal(await page.locator('#sign-in [data-testid=notice]').textContent(), told);
    await page.getByTestId('events').getByText(`${told} Does not try again.`).waitFor();
    await assertInert(page);
    await leave();
  }
});
