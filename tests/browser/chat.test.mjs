// The chat as people use it: rooms by claim, who types, what was said before and meanwhile, HTML made safe, and refusals.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lying } from './hostile.mjs';
import { allSaid, assertSignedOut, bubble, demo, enterRoom, inState, say } from './visitor.mjs';

const { enter } = demo();

test('alice and bob hear each other, and each word is known to be delivered', async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((account) => enter(account, '/chat')));
  for (const { page } of [alice, bob]) await enterRoom(page, 'lobby');
  await say(alice.page, 'Hello Bob, is the gate shut?');
  await bubble(bob.page, 'alice', 'Hello Bob, is the gate shut?').waitFor();
  await bubble(alice.page, 'alice', 'Hello Bob').getByText('Delivered').waitFor();
  await say(bob.page, 'Shut &amp; bolted <b>tight</b>.');
  const heard = bubble(alice.page, 'bob', 'Shut & bolted tight.');
  await heard.waitFor();
  assert.equal(await heard.locator('b').innerText(), 'tight');
  assert.equal(await bubble(alice.page, 'alice', 'Hello Bob').count(), 1);
  for (const { leave } of [alice, bob]) await leave();
});

test('who types is told, to others and not to themselves', async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((account) => enter(account, '/chat')));
  for (const { page } of [alice, bob]) await enterRoom(page, 'lobby');
  // The channel of typing is asked for after the room's: until it is followed nobody hears.
  const told = alice.page.getByTestId('typing').getByText('bob is typing').waitFor();
  const typing = setInterval(() => void bob.page.getByTestId('message').pressSequentially('a').catch(() => undefined), 500);
  await told.finally(() => clearInterval(typing));
  assert.equal(await bob.page.getByTestId('typing').innerText(), '');
  await bob.page.getByTestId('message').fill('done');
  await bob.page.getByTestId('send').click();
  await bubble(alice.page, 'bob', 'done').waitFor();
  for (const { leave } of [alice, bob]) await leave();
});

test('who typed when one signed out is not told to whoever comes next', async () => {
  const bob = await enter('bob', '/chat');
  const prepare = async (context, page) => {
    // Each is of another.
    await lying((value, _, count) => ('from' in value ? { ...value, from: `no. ${count}` } : value), [])(context, page);
    await page.clock.install();
  };
  const { page, leave } = await enter('alice', '/chat', { prepare });
  for (const each of [bob.page, page]) await enterRoom(each, 'lobby');
  const told = page.getByTestId('typing').getByText('more are typing').waitFor();
  const typing = setInterval(() => void say(bob.page, 'and').catch(() => undefined), 500);
  await told.finally(() => clearInterval(typing));
  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in-alice').waitFor();
  const later = await page.evaluateHandle(() => {
    const all = [];
    new MutationObserver(() => all.push(document.querySelector('#typing').textContent)).observe(document.querySelector('#typing'), { childList: true });
    return all;
  });
  await page.clock.runFor(10_000);
  await assertSignedOut(page, /Signed out/);
  assert.deepEqual(await later.jsonValue(), []);
  for (const visitor of [bob, { leave }]) await visitor.leave();
});

test('who is here is told, and who comes and goes', async () => {
  const alice = await enter('alice', '/chat');
  await enterRoom(alice.page, 'lobby');
  const here = (name) => alice.page.getByTestId('people').locator(`[data-member=${name}]`);
  await here('alice').waitFor();
  // Whoever was here for the test before may still be going.
  const count = (number) => alice.page.getByTestId('count').getByText(number, { exact: true }).waitFor();
  await count('1');
  const bob = await enter('bob', '/chat');
  await here('bob').waitFor();
  await count('2');
  await bob.page.locator('[data-member=alice]').waitFor();
  await bob.leave();
  await here('bob').waitFor({ state: 'detached' });
  await count('1');
  // Another room is another list, and where nothing is told the page says so.
  await enterRoom(alice.page, 'raw');
  await alice.page.getByTestId('people').getByText('This room does not tell.').waitFor();
  await alice.leave();
});

test('a room opens to whose claim names it, and to nobody else', async () => {
  const [alice, bob, mallory] = await Promise.all(['alice', 'bob', 'mallory'].map((account) => enter(account, '/chat')));
  await enterRoom(alice.page, 'staff');
  await say(alice.page, 'Among ourselves.');
  await bubble(alice.page, 'alice', 'Among ourselves.').getByText('Delivered').waitFor();
  await bob.page.getByTestId('room-staff').click();
  await bob.page.locator('#notice').getByText('Forbidden: bob is signed in, and still may not read chat/staff').waitFor();
  assert.deepEqual(await allSaid(bob.page), []);
  await enterRoom(bob.page, 'lobby');
  await mallory.page.locator('#notice').getByText('Forbidden: mallory').waitFor();
  await say(mallory.page, 'Let me in');
  await bubble(mallory.page, 'mallory', 'Refused: forbidden. Ask whoever runs the server for the right').waitFor();
  for (const { leave } of [alice, bob, mallory]) await leave();
});

test('what was said before comes page by page, each once and in order', async () => {
  const bob = await enter('bob', '/chat');
  await enterRoom(bob.page, 'raw');
  for (let count = 1; count <= 30; count += 1) await say(bob.page, `before ${count}.`);
  await bubble(bob.page, 'bob', 'before 30.').getByText('Delivered').waitFor();
  const { page, leave } = await enter('alice', '/chat');
  await enterRoom(page, 'raw');
  await bubble(page, 'bob', 'before 30.').waitFor();
  assert.equal((await allSaid(page)).filter((text) => text.startsWith('before')).length, 25);
  await page.getByTestId('older').click();
  await bubble(page, 'bob', 'before 1.').waitFor();
  const said = (await allSaid(page)).filter((text) => text.startsWith('before'));
  assert.deepEqual(said, Array.from({ length: 30 }, (_, at) => `before ${at + 1}.`));
  assert.equal(await page.getByTestId('older').isVisible(), false);
  await bob.leave();
  await leave();
});

test('what was said while one was away has been caught up with, each once and in order', async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((account) => enter(account, '/chat')));
  for (const { page } of [alice, bob]) await enterRoom(page, 'lobby');
  await alice.page.getByTestId('pull').click();
  await inState(alice.page, 'waiting');
  for (const text of ['away 1', 'away 2', 'away 3']) await say(bob.page, text);
  await bubble(bob.page, 'bob', 'away 3').getByText('Delivered').waitFor();
  await say(alice.page, 'from the dark');
  await alice.page.getByTestId('pull').click();
  await bubble(alice.page, 'bob', 'away 3').waitFor();
  await alice.page.locator('#notice').getByText('caught up with').waitFor();
  await bubble(alice.page, 'alice', 'from the dark').getByText('Delivered').waitFor();
  await bubble(bob.page, 'alice', 'from the dark').waitFor();
  const said = (await allSaid(alice.page)).filter((text) => text.startsWith('away'));
  assert.deepEqual(said, ['away 1', 'away 2', 'away 3']);
  assert.equal(await bubble(bob.page, 'alice', 'from the dark').count(), 1);
  for (const { leave } of [alice, bob]) await leave();
});

test('what the schema refuses is explained: where, by which rule, and what helps', async () => {
  const { page, leave } = await enter('alice', '/chat');
  await enterRoom(page, 'lobby');
  await page.getByTestId('try-long').click();
  const refused = bubble(page, 'alice', 'far too long');
  await refused.getByText('Refused: invalid at /text (maxLength). Change that place').waitFor();
  await page.reload();
  await enterRoom(page, 'lobby');
  assert.equal(await refused.count(), 0);
  await leave();
});

test('what was refused is given back to whoever typed it, and moves nobody who reads further up', async () => {
  const { page, leave } = await enter('alice', '/chat');
  await enterRoom(page, 'lobby');
  for (let count = 1; count <= 12; count += 1) await say(page, `filling ${count}.`);
  await bubble(page, 'alice', 'filling 12.').getByText('Delivered').waitFor();
  const messages = page.getByTestId('messages');
  await page.getByTestId('pull').click();
  await inState(page, 'waiting');
  const words = 'much too much '.repeat(50).trim();
  await say(page, words);
  assert.equal(await page.getByTestId('message').inputValue(), '');
  await messages.evaluate((it) => (it.scrollTop = 0));
  await page.getByTestId('pull').click();
  await bubble(page, 'alice', 'much too much').getByText('Refused').waitFor();
  assert.equal(await messages.evaluate((it) => it.scrollTop), 0);
  assert.equal(await page.getByTestId('message').inputValue(), words);
  await leave();
});

test('signing out wipes, and the next one here sees nothing of the one before', async () => {
  const { page, leave } = await enter('alice', '/chat');
  await enterRoom(page, 'staff');
  await say(page, 'For staff alone.');
  await bubble(page, 'alice', 'For staff alone.').getByText('Delivered').waitFor();
  await page.getByTestId('sign-out').click();
  await assertSignedOut(page, /Signed out/);
  await page.getByTestId('sign-in-bob').click();
  await page.locator('#room[data-state=live]').waitFor();
  assert.equal(await page.locator('body').getByText('For staff alone.').count(), 0);
  await leave();
});
