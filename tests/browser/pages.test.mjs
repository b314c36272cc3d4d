// What holds of every page: it fits a phone, it can be used by the keyboard alone and one sees where, axe-core finds nothing
// serious, and nothing that proves who one is is left within reach.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { assertInUse, assertNoSidewaysScroll, assertSignedOut, attack, bubble, demo, enterRoom, everywhere, inState, phone, signIn } from './visitor.mjs';

const { visit, enter } = demo();
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Brings a page to where it has to say no, as well as to what it is for. */
async function fill(page, path) {
  await assertInUse(page);
  await attack(page, 'no-credential');
  if (path === '/chat') {
    await page.getByTestId('try-long').click();
    await bubble(page, 'alice', 'far too long').getByText('Refused').waitFor();
  }
  if (path === '/market') {
    await page.getByTestId('bad-order').click();
    await page.getByTestId('answer').getByText('Refused').waitFor();
  }
  if (path === '/arena') {
    await page.getByTestId('flood').click();
    await page.locator('#notice').getByText('Of 500 moves at once').waitFor();
  }
}

test('every page fits a phone, signed out and in, in use and with what was refused', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(path, { ...phone, colorScheme: 'dark' });
    await page.getByTestId('sign-in-alice').waitFor();
    await assertNoSidewaysScroll(page);
    await page.getByTestId('sign-in-alice').tap();
    await inState(page, 'open');
    await fill(page, path);
    await assertNoSidewaysScroll(page);
    // What is pressed is large enough for a finger (WCAG 2.2, 2.5.8).
    const small = await page.locator('button:visible, a:visible, input:visible, select:visible').evaluateAll((all) =>
      all.filter((it) => !it.matches('.skip, .text a') && Math.min(it.offsetWidth, it.offsetHeight) < 24).map(({ outerHTML }) => outerHTML));
    assert.deepEqual(small, []);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await assertNoSidewaysScroll(page);
    await leave();
  });
});

test('axe-core finds nothing serious on any page, in light and dark: signed out, in use, cut off, without rights, on a phone', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(path, { prepare: (context) => context.addInitScript({ path: axe }) });
    const look = async (when) => {
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
        assert.deepEqual(told, [], `${path}, ${colorScheme}, ${when}`);
      }
    };
    await page.getByTestId('sign-in-alice').waitFor();
    await look('signed out');
    await signIn(page, 'alice');
    await fill(page, path);
    await look('in use');
    await page.setViewportSize(phone.viewport);
    await look('on a phone');
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await look('cut off');
    await page.getByTestId('pull').click();
    await inState(page, 'open');
    await page.getByTestId('sign-out').click();
    await signIn(page, 'mallory');
    if (path !== '/') await page.locator('#notice').getByText(/forbidden/i).waitFor();
    await look('without rights');
    await leave();
  });
});

/** Goes on by the tabulator to what `selector` names. At every stop one sees where one is. */
async function tabTo(page, selector) {
  for (let stops = 0; stops < 120; stops += 1) {
    await page.keyboard.press('Tab');
    const [here, unseen] = await page.evaluate((wanted) => {
      const { activeElement: at } = document;
      const { top, left, width, height } = at.getBoundingClientRect();
      const middle = document.elementFromPoint(left + width / 2, top + Math.min(height, innerHeight) / 2);
      const marked = at.matches(':focus-visible') && getComputedStyle(at).outlineStyle !== 'none';
      // Behind the last stop is the window itself.
      return [at.matches(wanted), at === document.body || (marked && (at.contains(middle) || middle?.contains(at))) ? null : at.outerHTML.slice(0, 200)];
    }, selector);
    if (unseen !== null) assert.fail(`${page.url()}: nobody sees the focus on ${unseen}`);
    if (here) return;
  }
  assert.fail(`${page.url()}: the tabulator does not lead to ${selector}`);
}

test('the keyboard alone signs in, uses every page, attacks it, and signs out', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(path);
    await page.getByTestId('sign-in-alice').waitFor();
    const press = async (selector) => {
      await tabTo(page, selector);
      await page.keyboard.press('Enter');
    };
    await press('[data-testid=sign-in-alice]');
    await inState(page, 'open');
    if (path === '/chat') {
      await press('[data-testid=room-raw]');
      await page.locator('#room[data-state=live]').waitFor();
      await tabTo(page, '#message');
      await page.keyboard.type('By hand.');
      await page.keyboard.press('Enter');
      await bubble(page, 'alice', 'By hand.').getByText('Delivered').waitFor();
    }
    if (path === '/market') {
      await page.locator('[data-symbol=BARK]').waitFor();
      await press('[data-symbol=BARK] button');
      assert.equal(await page.locator('#chosen').textContent(), 'BARK');
      await press('[data-testid=order]');
      await page.getByTestId('answer').getByText('Taken after').waitFor();
    }
    if (path === '/arena') {
      // One can move at once.
      assert.equal(await page.evaluate(() => document.activeElement.id), 'field');
      await press('[data-testid=robot]');
      await page.locator('#scores [data-name=alice]').waitFor();
    }
    await press('[data-testid=pull]');
    await inState(page, 'waiting');
    await page.keyboard.press('Enter');
    await inState(page, 'open');
    await press('[data-testid=attack-no-credential] [data-part=run]');
    await page.locator('[data-testid=attack-no-credential][data-state=done]').waitFor();
    await press('[data-testid=sign-out]');
    await assertSignedOut(page, /Signed out/);
    await press('[data-testid=sign-in-bob]');
    await inState(page, 'open');
    await leave();
  });
});

test('the session cookie is out of reach of scripts, and nothing is stored', async () => {
  await everywhere(async (path) => {
    const { page, context, leave } = await enter('alice', path);
    const reachable = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
    assert.deepEqual(reachable, ['', 0, 0]);
    const cookies = await context.cookies();
    assert.deepEqual(
      cookies.map(({ name, secure, httpOnly, sameSite, path: of }) => ({ name, secure, httpOnly, sameSite, of })),
      [{ name: '__Host-wardwire', secure: true, httpOnly: true, sameSite: 'Lax', of: '/' }],
    );
    await leave();
  });
});

test('a long talk scrolls inside the room, stays at its end, and stays where one reads further up', async () => {
  const bob = await enter('bob', '/chat');
  const { page, leave } = await enter('alice', '/chat', phone);
  for (const each of [bob.page, page]) await enterRoom(each, 'raw');
  const talk = async (from, to) => {
    for (let count = from; count < to; count += 1) {
      await bob.page.getByTestId('message').fill(`line ${count}.`);
      await bob.page.keyboard.press('Enter');
    }
    await bubble(page, 'bob', `line ${to - 1}.`).waitFor({ state: 'attached' });
  };
  const messages = page.getByTestId('messages');
  await talk(0, 20);
  const [height, below] = await messages.evaluate((it) => [it.clientHeight, it.scrollHeight - it.clientHeight - it.scrollTop]);
  assert.ok(height < 640 && below < 2, `${height} px high, ${below} px below`);
  await messages.evaluate((it) => (it.scrollTop = 0));
  await talk(20, 22);
  assert.equal(await messages.evaluate((it) => it.scrollTop), 0);
  for (const visitor of [bob, { leave }]) await visitor.leave();
});
