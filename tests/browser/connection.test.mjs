// What connections go through, on every page of the demo and while it is used: expiry, a sign-out elsewhere, a network that goes
// and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertInUse, assertSignedOut, demo, everywhere, fill, inState, signIn } from './visitor.mjs';

const { running, enter } = demo();

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
