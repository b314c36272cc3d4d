// What connections go through, on every page of the demo and while it is used: expiry, a sign-out elsewhere, a network that goes
// and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertInUse, assertSignedOut, demo, everywhere, fill, inState, signIn } from './visitor.mjs';

const { running, visit, enter } = demo();

/** One user in two tabs: `page`, in which what can be filled in is, and `other`. */
async function twice(account, path) {
  const entered = await enter(account, path);
  await fill(entered.page, path);
  const other = await entered.context.newPage();
  await other.goto(running.server.url + path);
  await inState(other, 'open');
  return { ...entered, other };
}

test('a proof that ends ends the socket, and the page says so and goes on after the next sign-in', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await enter('alice', path);
    await assertInUse(page);
    await page.getByTestId('expire').click();
    await page.getByTestId('events').getByText('stands on a token that ends in seconds').waitFor();
    await assertSignedOut(page, /expired \(3000\)/);
    assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'ended');
    await signIn(page, 'alice');
    await assertInUse(page);
    await leave();
  });
});

test('a sign-out elsewhere ends the socket, wipes the page, and leaves nothing to reconnect with', async () => {
  await everywhere(async (path) => {
    const { page, other, leave } = await twice('alice', path);
    await page.getByTestId('elsewhere').click();
    // A socket that a busy machine lost just before is not told why; at the next attempt the page hears that it is over.
    for (const each of [page, other]) await assertSignedOut(each, /(logged-out|session has ended).*forgotten everything/);
    assert.equal(await page.evaluate(async () => (await fetch('/.wardwire/session')).status), 401);
    await page.reload();
    await page.getByTestId('sign-in-alice').waitFor();
    assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'idle');
    await leave();
  });
});

test('a page whose socket was lost before the sign-out elsewhere hears of it at its next attempt, and is wiped as well', async () => {
  await everywhere(async (path) => {
    const { page, other, leave } = await twice('alice', path);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await other.getByTestId('sign-out').click();
    await assertSignedOut(other, /^Signed out\. This page has forgotten everything/);
    await page.getByTestId('pull').click();
    await assertSignedOut(page, /^This session has ended\. Sign in again\. This page has forgotten everything/);
    await leave();
  });
});

test('a sign-out that does not reach the server is told of, as its session goes on', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await enter('alice', path);
    await page.route('**/.wardwire/session', (route) => (route.request().method() === 'DELETE' ? route.abort() : route.continue()));
    await page.getByTestId('sign-out').click();
    const notice = page.locator('#sign-in [data-testid=notice]');
    await notice.getByText('The server was not told, and the session goes on: unreachable.').waitFor();
    await page.getByTestId('events').getByText('The server was not told').waitFor();
    await page.unrouteAll();
    await page.reload();
    await inState(page, 'open');
    await page.getByTestId('sign-out').click();
    await assertSignedOut(page, /^Signed out/);
    assert.equal(await page.evaluate(async () => (await fetch('/.wardwire/session')).status), 401);
    await leave();
  });
});

test('one signs in as one account at a time, however slow the server is', async () => {
  const { page, leave } = await visit('/chat');
  let meanwhile;
  await page.route('**/.wardwire/demo/sign-in', async (route) => {
    meanwhile = await page.getByTestId('sign-in-bob').isDisabled();
    await route.abort();
  });
  await page.getByTestId('sign-in-alice').click();
  await page.locator('#sign-in [data-testid=notice]').getByText('That did not work.').waitFor();
  assert.deepEqual([meanwhile, await page.getByTestId('sign-in-bob').isDisabled()], [true, false]);
  await page.unrouteAll();
  await signIn(page, 'bob');
  await leave();
});

test('a cable that is pulled is told of and waited for, and everything goes on when it is in again', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await enter('bob', path);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await page.getByTestId('events').getByText('The connection was lost (1006).').waitFor();
    await page.getByTestId('pull').click();
    await inState(page, 'open');
    await assertInUse(page);
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
    await page.getByTestId('events').getByText('The server cannot be reached.').first().waitFor();
    await context.setOffline(false);
    await inState(page, 'open');
    await assertInUse(page);
    await leave();
  });
});
