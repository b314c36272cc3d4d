// The demo with an OpenID provider: signing in there once for all tabs, signing out there, which ends every socket, and a
// second factor when a route asks for it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { assertAccessible, tabTo, withAxe } from './access.mjs';
import { hostile, texts, watched } from './hostile.mjs';
import { assertNoSidewaysScroll, bubble, demo, enterRoom, inState, phone, say } from './visitor.mjs';

const { running, visit } = demo({ provider: true });

const provider = () => `https://localhost:${Number(new URL(running.server.url).port) + 2}`;
const statusOf = (page, path, init) => page.evaluate(async ([at, how]) => (await fetch(at, how)).status, [path, init]);
const askForTicket = (page, route = '/live') =>
  statusOf(page, '/.wardwire/tickets', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ route }) });

/** The value of the session's cookie, which no script reads. */
async function sessionCookie(page) {
  const cookies = await page.context().cookies(running.server.url);
  return cookies.find(({ name }) => name === '__Host-wardwire')?.value;
}

/** In every page: how its sockets closed, and when. */
const watch = (context) =>
  context.addInitScript(() => {
    globalThis.endings = [];
    globalThis.WebSocket = class extends WebSocket {
      constructor(...all) {
        super(...all);
        this.addEventListener('close', ({ code, reason }) => globalThis.endings.push({ code, reason, at: Date.now() }));
      }
    };
  });

async function signIn(page, account) {
  await page.getByTestId('sign-in').click();
  await page.waitForURL(`${provider()}/interaction/**`);
  await page.getByLabel(account).check();
  await page.getByRole('button', { name: 'Go on' }).click();
  await inState(page, 'open');
}

/** How a socket of the page closed, once one did with a word: a busy machine may have lost one before. */
async function toldClose(page) {
  const told = await page.waitForFunction(() => globalThis.endings.find(({ reason }) => reason !== ''));
  return told.jsonValue();
}

test('who signs out at the provider is signed out in every tab, and comes back by signing in', async (t) => {
  const { page, context, leave } = await visit('/chat', { prepare: watch });
  const callback = page.waitForRequest((request) => request.url().includes('/.wardwire/callback?'));
  await signIn(page, 'alice');
  await enterRoom(page, 'lobby');

  const other = await context.newPage();
  await other.goto(`${running.server.url}/chat`);
  await inState(other, 'open');
  assert.equal(await other.getByTestId('account').innerText(), 'alice');
  await enterRoom(other, 'lobby');
  await say(page, 'From the first tab.');
  await bubble(other, 'alice', 'From the first tab.').waitFor();
  await say(other, 'From the second tab.');
  await bubble(page, 'alice', 'From the second tab.').waitFor();

  const third = await context.newPage();
  const replayed = await third.goto((await callback).url());
  assert.equal(replayed.status(), 400);
  assert.equal(await statusOf(page, '/.wardwire/session'), 200);

  await third.goto(`${provider()}/session/end`);
  const begun = Date.now();
  await third.getByRole('button', { name: 'Sign out' }).click();
  const closes = await Promise.all([page, other].map(toldClose));
  for (const { code, reason } of closes) assert.deepEqual({ code, reason }, { code: 3000, reason: 'logged-out' });
  t.diagnostic(`from the provider's sign-out to the last close: ${Math.max(...closes.map(({ at }) => at)) - begun} ms`);
  await third.getByText('Signed out').waitFor();

  for (const tab of [page, other]) {
    await tab.locator('#sign-in [data-testid=notice]').getByText(/logged-out.*forgotten everything/).waitFor();
    assert.equal(await tab.locator('#demo').isVisible(), false);
    assert.equal(await askForTicket(tab), 401);
    await tab.reload();
    await tab.getByTestId('sign-in').waitFor();
    assert.equal(await tab.getByTestId('status').getAttribute('data-state'), 'idle');
  }

  await signIn(page, 'alice');
  await enterRoom(page, 'lobby');
  await other.reload();
  await inState(other, 'open');
  await enterRoom(other, 'lobby');
  await say(other, 'Here again.');
  await bubble(page, 'alice', 'Here again.').waitFor();
  await leave();
});

test('a route that needs a second factor leads to the provider, and opens when it was given', async () => {
  const { page, leave } = await visit('/chat', { prepare: watch });
  await signIn(page, 'bob');
  assert.equal(await askForTicket(page, '/vault'), 401);
  const asked = page.waitForRequest((request) => request.url().includes('/.wardwire/login?'));
  const sent = page.waitForRequest((request) => request.url().startsWith(`${provider()}/auth?`));
  await page.getByTestId('vault').click();
  assert.deepEqual([...new URL((await asked).url()).searchParams], [['acr_values', 'mfa'], ['return_to', '/chat']]);
  // What is asked was left with the provider (RFC 9126): the address names it alone. That it is `mfa`, the next page shows.
  assert.deepEqual([...new URL((await sent).url()).searchParams.keys()].sort(), ['client_id', 'request_uri']);

  await page.waitForURL(`${provider()}/interaction/**`);
  await page.getByText('You are bob.').waitFor();
  await page.getByLabel('Second factor').fill('000000');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('alert').getByText('not the code').waitFor();
  await page.getByLabel('Second factor').fill('246810');
  await page.getByRole('button', { name: 'Go on' }).click();
  await inState(page, 'open');
  await page.getByTestId('vault').click();
  await page.getByTestId('events').getByText('The vault is open.').waitFor();
  await leave();
});

test('a second factor that was asked for and not given opens nothing, and the page says so', async () => {
  const { page, leave } = await visit('/chat', { prepare: watch });
  await signIn(page, 'bob');
  const before = await sessionCookie(page);
  await page.getByTestId('vault').click();
  await page.waitForURL(`${provider()}/interaction/**`);
  await page.getByLabel('Answer with less').check();
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByTestId('events').getByText('did not ask for what is needed here').waitFor();
  assert.equal(page.url(), `${running.server.url}/chat`);
  // What was there before stays what it was.
  await inState(page, 'open');
  assert.equal(await sessionCookie(page), before);
  assert.equal(await askForTicket(page, '/vault'), 401);
  await leave();
});

test('a sign-in that is older than was asked for is none, and the page says so', async () => {
  const { page, leave } = await visit('/chat', { prepare: watch });
  const signInOf = (age) => page.goto(`${running.server.url}/.wardwire/login?return_to=/chat&max_age=${age}`);
  await signInOf(600);
  await page.getByText('no longer than 600 s ago').waitFor();
  await page.getByLabel('alice').check();
  await page.getByLabel('Answer with less').check();
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByTestId('notice').getByText('did not ask for what is needed here').waitFor();
  assert.equal(page.url(), `${running.server.url}/chat`);
  assert.equal(await sessionCookie(page), undefined);
  assert.equal(await statusOf(page, '/.wardwire/session'), 401);

  // The provider knows now of a sign-in long ago: that will do for who asks for no more, and for nobody else.
  await signInOf(86_400);
  await inState(page, 'open');
  const old = await sessionCookie(page);
  await signInOf(600);
  await page.getByText('You are alice.').waitFor();
  await page.getByRole('button', { name: 'Go on' }).click();
  await inState(page, 'open');
  const fresh = await sessionCookie(page);
  assert.notEqual(fresh, old);
  await signInOf(600);
  await inState(page, 'open');
  assert.notEqual(await sessionCookie(page), fresh);
  await leave();
});

test('what one browser was sent back with signs in no other', async () => {
  const [alice, mallory] = [await visit('/chat'), await visit('/chat')];
  // Playwright's own routes do not see where a redirect leads.
  const devtools = await mallory.context.newCDPSession(mallory.page);
  await devtools.send('Fetch.enable', { patterns: [{ urlPattern: '*/.wardwire/callback?*' }] });
  const paused = once(devtools, 'Fetch.requestPaused');
  await mallory.page.getByTestId('sign-in').click();
  await mallory.page.getByLabel('bob').check();
  const going = mallory.page.getByRole('button', { name: 'Go on' }).click();
  const [{ requestId, request }] = await paused;
  await devtools.send('Fetch.failRequest', { requestId, errorReason: 'Aborted' });
  await devtools.send('Fetch.disable');
  await going;
  const callback = request.url;

  // Before alice begins a sign-in, and while she has one under way, whose cookie is not that of this one.
  for (const begun of [false, true]) {
    if (begun) await alice.page.goto(`${running.server.url}/.wardwire/login?return_to=/chat`);
    const planted = await alice.page.goto(callback);
    assert.equal(planted.status(), 400);
    assert.equal(await sessionCookie(alice.page), undefined);
  }
  await alice.page.goto(`${running.server.url}/chat`);
  await alice.page.getByTestId('sign-in').waitFor();

  // It was good, for who began it.
  await mallory.page.goto(callback);
  await inState(mallory.page, 'open');
  assert.equal(await mallory.page.getByTestId('account').innerText(), 'bob');
  await Promise.all([alice.leave(), mallory.leave()]);
});

test('signing out of the page signs out at the provider, and nobody picks an account any more', async () => {
  const { page, leave } = await visit('/chat', { prepare: watch, viewport: { width: 360, height: 740 } });
  await assertNoSidewaysScroll(page);
  const body = JSON.stringify({ account: 'alice' });
  for (const endpoint of ['sign-in', 'short-token']) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    assert.equal(await statusOf(page, `/.wardwire/demo/${endpoint}`, init), 404);
  }
  await signIn(page, 'bob');
  assert.equal(await page.getByTestId('expire').count(), 0);
  await page.getByTestId('sign-out').click();
  await page.waitForURL(`${provider()}/session/end**`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${running.server.url}/**`);
  await page.getByTestId('sign-in').waitFor();
  // Its session has ended too: the next one is asked who they are.
  await signIn(page, 'alice');
  assert.equal(await page.getByTestId('account').innerText(), 'alice');
  await leave();
});

/** Asks the provider as the demo would, with more of the asker's own. */
const asking = (more) => {
  const asked = { client_id: 'demo', response_type: 'code', scope: 'openid', redirect_uri: `${running.server.url}/.wardwire/callback`, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' };
  return `${provider()}/auth?${new URLSearchParams({ ...asked, ...more })}`;
};

/** A page of the provider's is made of a few elements and of text, forbids the rest, fits a phone, and can be used by everybody. */
async function assertPlain(page, answer, when) {
  const { 'content-security-policy': policy, 'x-content-type-options': sniffing } = answer.headers();
  const client = running.server.url;
  assert.equal(policy, `default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' ${client}; base-uri 'none'; frame-ancestors 'none'`, when);
  assert.equal(sniffing, 'nosniff');
  const odd = await page.evaluate(() => {
    const few = 'BODY BUTTON CODE FIELDSET FORM H1 HEAD HTML INPUT LABEL LEGEND LINK MAIN META P Q TITLE'.split(' ');
    const own = ['action', 'autocomplete', 'charset', 'checked', 'class', 'content', 'for', 'href', 'id', 'inputmode', 'lang', 'method', 'name', 'rel', 'required', 'role', 'type', 'value'];
    return [...document.querySelectorAll('*')].filter((it) => !few.includes(it.tagName) || !it.getAttributeNames().every((name) => own.includes(name))).map(({ outerHTML }) => outerHTML);
  });
  assert.deepEqual(odd, [], when);
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('main')).borderRadius), '14px', when);
  await assertNoSidewaysScroll(page);
  await assertAccessible(page, when);
}

test('the pages of the provider are plain: text of whoever asks is text, there is no script, and everybody can use them', async () => {
  const { page, leave } = await visit('/', { ...phone, prepare: async (context, page) => (await withAxe(context), await watched(context, page)) });
  // Those are its own pages.
  const moves = () => page.lively.splice(0).filter((it) => !it.startsWith(`navigation ${provider()}/`) && !it.startsWith(`navigation ${running.server.url}/`));
  for (const hint of [...texts, 'alice']) {
    const answer = await page.goto(asking({ login_hint: hint, prompt: 'login' }));
    assert.equal(await page.getByLabel('alice').isChecked(), hint === 'alice');
    if (hint !== 'alice') assert.equal(await page.locator('q').textContent(), hint.slice(0, 200));
    await assertPlain(page, answer, hint);
  }
  for (const text of [hostile[0], hostile[22], texts.at(-3)]) {
    for (const more of [{ client_id: text }, { redirect_uri: text }]) {
      const answer = await page.goto(asking(more));
      assert.ok(answer.status() >= 400, String(answer.status()));
      await page.getByRole('alert').waitFor();
      await assertPlain(page, answer, JSON.stringify(more));
    }
    await assertPlain(page, await page.goto(`${provider()}/interaction/${encodeURIComponent(text)}`), text);
    await assertPlain(page, await page.goto(`${provider()}/session/end?id_token_hint=${encodeURIComponent(text)}&state=${encodeURIComponent(text)}`), text);
  }
  assert.deepEqual(moves(), []);
  await leave();
});

test('the keyboard alone signs in at the provider, gives a second factor, and signs out', async () => {
  const { page, leave } = await visit('/chat', { prepare: withAxe });
  await tabTo(page, '[data-testid=sign-in]');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${provider()}/interaction/**`);
  await tabTo(page, '[value=alice]');
  await page.keyboard.press('Space');
  await page.keyboard.press('Enter');
  await inState(page, 'open');
  const asked = asking({ acr_values: 'mfa', max_age: '1000' });
  await assertPlain(page, await page.goto(asked), 'a second factor');
  await tabTo(page, '#code');
  await page.keyboard.type('1');
  const refused = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('not the code').waitFor();
  await assertPlain(page, await refused, 'a wrong code');
  await tabTo(page, '[name=less]');
  await tabTo(page, 'button');

  // Whoever is signed in is asked whether to sign out, and whoever is not only has to go on: no script does that.
  await assertPlain(page, await page.goto(`${provider()}/session/end`), 'sign out?');
  await tabTo(page, 'button');
  const ended = page.waitForResponse((response) => response.url().includes('/session/end/success'));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Signed out' }).waitFor();
  await assertPlain(page, await ended, 'signed out');
  await assertPlain(page, await page.goto(`${provider()}/session/end`), 'nobody signs out');
  await tabTo(page, 'button');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${provider()}/session/end/success**`);
  await leave();
});
