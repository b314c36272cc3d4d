// What connections go through, on every page of the demo: expiry, a sign-out elsewhere, a network that goes and comes back.
// And what holds of every page: nothing scrolls sideways on a phone, and axe-core finds nothing serious.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { assertNoSidewaysScroll, assertSignedOut, demo, inState, pages, phone, signIn } from './visitor.mjs';

const { running, visit, enter } = demo();
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Does the same on every page, in a browser for each. */
const everywhere = (what) => Promise.all(pages.map(what));

test('a proof that ends ends the socket, and the page says so and goes on after the next sign-in', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await enter('alice', path);
    await page.getByTestId('expire').click();
    await page.getByTestId('events').getByText('stands on a token that ends in seconds').waitFor();
    await assertSignedOut(page, /expired \(3000\)/);
    assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'ended');
    await signIn(page, 'alice');
    await leave();
  });
});

test('a sign-out elsewhere ends the socket, wipes the page, and leaves nothing to reconnect with', async () => {
  await everywhere(async (path) => {
    const { page, context, leave } = await enter('alice', path);
    const other = await context.newPage();
    await other.goto(running.server.url + path);
    await inState(other, 'open');
    await page.getByTestId('elsewhere').click();
    for (const each of [page, other]) await assertSignedOut(each, /logged-out.*forgotten everything/);
    assert.equal(await page.evaluate(async () => (await fetch('/.wardwire/session')).status), 401);
    await page.reload();
    await page.getByTestId('sign-in-alice').waitFor();
    assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'idle');
    await leave();
  });
});

test('a cable that is pulled is told of and waited for, and everything goes on when it is in again', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await enter('bob', path);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await page.getByTestId('events').getByText('The connection was lost (1006).').waitFor();
    await page.getByTestId('pull').click();
    await inState(page, 'open');
    await page.getByTestId('latency').getByText(/^[0-9.]+ ms$/).waitFor();
    await leave();
  });
});

test('a browser that is offline comes back by itself', async () => {
  await everywhere(async (path) => {
    const { page, context, leave } = await enter('bob', path);
    await context.setOffline(true);
    // What is open may live on in silence; whoever begins anew is told.
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await inState(page, 'waiting');
    await page.getByTestId('events').getByText('(unreachable)').first().waitFor();
    await context.setOffline(false);
    await inState(page, 'open');
    await leave();
  });
});

test('nothing scrolls sideways on a phone, and the keyboard signs in', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(path, phone);
    await assertNoSidewaysScroll(page);
    await page.getByTestId('sign-in-alice').focus();
    await page.keyboard.press('Enter');
    await inState(page, 'open');
    await page.getByTestId('latency').getByText(/ms$/).waitFor();
    await assertNoSidewaysScroll(page);
    await leave();
  });
});

test('axe-core finds nothing serious on any page, in light and dark, signed out and in', async () => {
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
    await page.getByTestId('attack-no-credential').locator('[data-part=run]').click();
    await page.locator('[data-testid=attack-no-credential][data-state=done]').waitFor();
    await look('signed in');
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
