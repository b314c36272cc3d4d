// The arena as people use it: dots that others see, coins that one of them gets, and rates that hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { demo, phone } from './visitor.mjs';

const { enter } = demo();

/** What the field shows of it, once it has been drawn. */
const picture = (page) => page.getByTestId('field').evaluate((canvas) => new Promise((resolve) => requestAnimationFrame(() => resolve(canvas.toDataURL()))));

test('a robot takes coins, and everybody counts the same', async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((account) => enter(account, '/arena')));
  await alice.page.getByTestId('robot').click();
  await bob.page.waitForFunction(() => Number(document.querySelector('#scores [data-name=alice] strong')?.textContent) >= 2);
  // Who comes later knows the same, out of the history.
  const late = await enter('bob', '/arena');
  await late.page.waitForFunction(() => Number(document.querySelector('#scores [data-name=alice] strong')?.textContent) >= 2);
  for (const id of ['move', 'seen']) await alice.page.getByTestId(id).getByText(/^[0-9.]+ ms$/).waitFor();
  for (const { leave } of [alice, bob, late]) await leave();
});

test('the arrow keys and a finger move the dot', async () => {
  const { page, context, leave } = await enter('alice', '/arena', phone);
  const sent = await page.evaluateHandle(() => {
    const moves = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function spy(text) {
      const { data } = JSON.parse(text).params;
      if (data?.player !== undefined && data.coin === undefined) moves.push(data);
      return send.call(this, text);
    };
    return moves;
  });
  const moved = (axis, way) => page.waitForFunction(([moves, of, sign]) => moves.length > 1 && Math.sign(moves.at(-1)[of] - moves[0][of]) === sign, [sent, axis, way]);
  const afresh = () => sent.evaluate((moves) => moves.splice(0, moves.length));
  await page.getByTestId('field').focus();
  for (const [key, axis, way] of [['ArrowRight', 'x', 1], ['a', 'x', -1], ['s', 'y', 1], ['ArrowUp', 'y', -1]]) {
    await afresh();
    await page.keyboard.down(key);
    await moved(axis, way);
    await page.keyboard.up(key);
  }
  const box = await page.getByTestId('field').boundingBox();
  const fingers = await context.newCDPSession(page);
  const touch = (type, ...touchPoints) => fingers.send('Input.dispatchTouchEvent', { type, touchPoints });
  for (const [x, way] of [[box.x + 2, -1], [box.x + box.width - 2, 1]]) {
    await afresh();
    await touch('touchStart', { x, y: box.y + box.height / 2 });
    await moved('x', way);
    await touch('touchEnd');
  }
  await leave();
});

test('others are seen where they are', async () => {
  const alice = await enter('alice', '/arena');
  const alone = await picture(alice.page);
  const bob = await enter('bob', '/arena');
  await alice.page.waitForFunction((before) => document.querySelector('#field').toDataURL() !== before, alone);
  for (const { leave } of [alice, bob]) await leave();
});

test('who moves too often is refused by rate, and held back by their own client before the server closes', async () => {
  const { page, leave } = await enter('alice', '/arena');
  let told = '';
  // From a machine that has much else to do they may come slowly enough: then it is tried again.
  for (let tries = 0; tries < 10 && !told.includes('In between'); tries += 1) {
    await page.locator('#notice').evaluate((notice) => notice.replaceChildren());
    await page.getByTestId('flood').click();
    told = await page.locator('#notice').getByText('Of 500 moves at once').innerText();
  }
  assert.match(told, /In between: rate\. Wait/);
  const taken = Number(/at once (\d+) were taken/.exec(told)?.[1]);
  assert.ok(taken > 0 && taken < 500, told);
  assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'open');
  await leave();
});

test('mallory does not play, and is told why', async () => {
  const { page, leave } = await enter('mallory', '/arena');
  await page.locator('#notice').getByText('forbidden.').waitFor();
  await leave();
});
