// The arena as people use it: dots that others see, coins that one of them gets, and rates that hold.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { demo, phone, publish, signIn } from './visitor.mjs';

const { enter } = demo();

/** In every page: the dots that the field last had drawn, and the names that it had written, in `drawn` and before that in `before`. */
const watched = (context) =>
  context.addInitScript(() => {
    globalThis.drawn = { dots: [], names: [] };
    const spy = (method, look) => {
      const real = CanvasRenderingContext2D.prototype[method];
      CanvasRenderingContext2D.prototype[method] = function spied(...given) {
        look(this, ...given);
        return real.apply(this, given);
      };
    };
    spy('clearRect', () => {
      globalThis.before = globalThis.drawn;
      globalThis.drawn = { dots: [], names: [] };
    });
    spy('arc', (_, x, y, radius) => drawn.dots.push({ x, y, radius }));
    spy('fillText', (context, text, x, y, most) => drawn.names.push({ text, x, y, half: Math.min(most, context.measureText(text).width) / 2, size: Number(/[0-9.]+px/.exec(context.font)[0].slice(0, -2)) }));
  });

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
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((account) => enter(account, '/arena', { prepare: watched })));
  // Whoever plays is the last dot that their own field has, as nobody covers it, and stands still.
  const own = await bob.page.waitForFunction(() => before?.dots.at(-1));
  await alice.page.waitForFunction(({ x, y, radius }) => before.names.some(({ text }) => text === 'bob') && before.dots.some((it) => it.radius === radius && Math.hypot(it.x - x, it.y - y) < 1), await own.jsonValue());
  for (const { leave } of [alice, bob]) await leave();
});

test('names are read wherever people meet: none is written over another, nor past the edge', async () => {
  const bob = await enter('bob', '/arena');
  for (const options of [{}, phone]) {
    const { page, leave } = await enter('alice', '/arena', { ...options, prepare: watched });
    for (const [x, y] of [[800, 360], [0, 720], [1600, 0]]) {
      const crowd = Array.from('abcdef', (name) => ({ player: name.repeat(6), x, y }));
      const shown = page.waitForFunction(([at, left]) => {
        const { dots, names } = globalThis.before;
        return dots.filter((it) => Math.hypot(it.x - at, it.y - left) < 1).length >= 6 && names;
      }, [x, y]);
      const names = [await publish(bob.page, 'arena/one', crowd), await (await shown).jsonValue()][1];
      assert.ok(names.length >= 6, JSON.stringify(names));
      for (const [at, one] of names.entries()) {
        assert.ok(one.x - one.half > -1 && one.x + one.half < 1601 && one.y - one.size > -1 && one.y < 721, JSON.stringify(one));
        for (const other of names.slice(0, at)) {
          assert.ok(Math.abs(one.x - other.x) > one.half + other.half - 1 || Math.abs(one.y - other.y) > one.size - 1, JSON.stringify([one, other]));
        }
      }
    }
    await leave();
  }
  await bob.leave();
});

test('who moves too often is refused by rate, and held back by their own client before the server closes', async () => {
  const { page, leave } = await enter('alice', '/arena');
  const place = await page.getByTestId('field').boundingBox();
  const begun = performance.now();
  await page.getByTestId('flood').click();
  const told = await page.locator('#notice').getByText('Of 500 moves at once').innerText();
  const tookMs = performance.now() - begun;
  const [, taken, between] = /at once (\d+|all) were taken(?:.*In between: (rate)\. Wait)?/.exec(told) ?? [];
  // A socket has 200 a second and as many saved up: on a machine that takes longer none need be refused, and on no other.
  if (taken === 'all') assert.ok(tookMs > 1500, `${told} It took ${tookMs} ms.`);
  else assert.ok(between === 'rate' && taken > 0 && taken < 500, told);
  assert.equal(await page.getByTestId('status').getAttribute('data-state'), 'open');
  // What is told does not move what one plays on.
  assert.deepEqual(await page.getByTestId('field').boundingBox(), place);
  await leave();
});

test('mallory does not play, and is told why', async () => {
  const { page, leave } = await enter('mallory', '/arena');
  await page.locator('#notice').getByText('No game: forbidden.').waitFor();
  for (const id of ['robot', 'flood']) assert.equal(await page.getByTestId(id).isDisabled(), true);
  await page.getByTestId('sign-out').click();
  await signIn(page, 'alice');
  // Three robots are enough of one.
  for (let count = 0; count < 3; count += 1) await page.getByTestId('robot').click();
  assert.equal(await page.getByTestId('robot').isDisabled(), true);
  await leave();
});
