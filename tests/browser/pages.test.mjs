// What holds of every page: it fits a phone, it can be used by the keyboard alone and one sees where, axe-core finds nothing
// serious, and nothing that proves who one is is left within reach.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertAccessible, tabTo, withAxe } from './access.mjs';
import { assertNoSidewaysScroll, assertSignedOut, bubble, demo, enterRoom, everywhere, fill, inState, phone, signIn } from './visitor.mjs';

const { visit, enter } = demo();

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
    const { page, leave } = await visit(path, { prepare: withAxe });
    const look = (when) => assertAccessible(page, when);
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

test('the keyboard alone signs in, uses every page, attacks it, and signs out', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(path);
    await page.getByTestId('sign-in-alice').waitFor();
    const bar = await page.locator('.bar').boundingBox();
    const press = async (selector) => {
      await tabTo(page, selector);
      await page.keyboard.press('Enter');
    };
    await press('[data-testid=sign-in-alice]');
    await inState(page, 'open');
    // Nothing below it moves.
    assert.deepEqual(await page.locator('.bar').boundingBox(), bar);
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
    // Where one pressed is where one goes on.
    await page.waitForFunction(() => document.activeElement.matches('[data-testid=attack-no-credential] [data-part=run]'));
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
