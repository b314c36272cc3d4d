// The market as people use it: prices that move, and orders that the schema judges.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { demo, inState } from './visitor.mjs';

const { enter } = demo();

test('fifty prices move, and the chart is of the one that was chosen', async () => {
  const { page, leave } = await enter('alice', '/market');
  await page.waitForFunction(() => document.querySelectorAll('#rows tr').length === 50);
  const price = page.locator('[data-symbol=ZEPH] .price');
  const first = await price.innerText();
  await page.waitForFunction((before) => document.querySelector('[data-symbol=ZEPH] .price').textContent !== before, first);
  await page.getByRole('button', { name: 'ZEPH' }).click();
  assert.equal(await page.locator('#chosen').innerText(), 'ZEPH');
  assert.equal(await page.locator('#symbol').inputValue(), 'ZEPH');
  // Something is drawn: the line's colour is on the canvas.
  await page.waitForFunction(() => {
    const canvas = document.querySelector('#chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((byte, at) => at % 4 === 0 && byte === 160 && data[at + 1] === 67 && data[at + 2] === 23);
  });
  await leave();
});

test('an order is taken, and a bad one is refused with the place marked in the form', async () => {
  const { page, leave } = await enter('alice', '/market');
  await page.waitForFunction(() => document.querySelector('#symbol').value !== '');
  await page.getByTestId('order').click();
  await page.getByTestId('answer').getByText('Taken after').waitFor();
  await page.getByTestId('orders').getByText('buy 100').waitFor();

  for (const [field, value, pointer, words] of [
    ['quantity', '1000000', '/quantity (maximum)', 'Less than that.'],
    ['quantity', 'a few', '/quantity (type)', 'A whole number.'],
    ['quantity', '1.5', '/quantity (type)', 'A whole number.'],
    ['limit', 'cheap', '/limit (type)', 'A number.'],
    ['limit', '-1', '/limit (exclusiveMinimum)', 'More than nothing.'],
    ['symbol', '<b>', '/symbol (pattern)', 'Four capital letters.'],
  ]) {
    const before = await page.locator(`#${field}`).inputValue();
    await page.locator(`#${field}`).fill(value);
    await page.getByTestId('order').click();
    await page.getByTestId('answer').getByText(`Refused: invalid at ${pointer}`).waitFor();
    const marked = await page.locator('#order [aria-invalid=true]').evaluateAll((all) => all.map(({ name }) => name));
    assert.deepEqual(marked, [field]);
    assert.equal(await page.locator(`#${field}-error`).innerText(), words);
    assert.equal(await page.evaluate(() => document.activeElement.id), field);
    await page.locator(`#${field}`).fill(before);
  }
  await page.getByTestId('order').click();
  await page.getByTestId('answer').getByText('Taken after').waitFor();
  assert.equal(await page.locator('#order [aria-invalid=true]').count(), 0);
  await page.waitForFunction(() => document.querySelectorAll('#orders li').length === 2);
  await leave();
});

test('an order without a connection waits for one, and says so', async () => {
  const { page, leave } = await enter('alice', '/market');
  await page.waitForFunction(() => document.querySelector('#symbol').value !== '');
  await page.getByTestId('pull').click();
  await inState(page, 'waiting');
  await page.getByTestId('order').click();
  await page.getByTestId('answer').getByText('To be sent once there is a connection.').waitFor();
  await page.getByTestId('pull').click();
  await page.getByTestId('answer').getByText('Taken after').waitFor();
  await leave();
});

test('nobody publishes prices but the feed, and nobody reads the orders of others', async () => {
  const { page, leave } = await enter('bob', '/market');
  const outcomes = await page.evaluate(async () => {
    const { connect, session } = await import('/client/index.js');
    const wire = connect('/live', { auth: session() });
    const codes = [];
    const price = { symbol: 'ZEPH', price: 1, change: 0 };
    for (const what of [
      () => wire.channel('market/prices').publish(price),
      () => wire.channel('market/orders/alice').subscribe(),
      () => wire.channel('market/orders/alice').publish({ side: 'buy', symbol: 'ZEPH', quantity: 1, limit: 1 }),
      () => wire.channel('market/orders/bob').subscribe(),
    ]) {
      codes.push(await what().then(() => 'allowed', ({ code }) => code));
    }
    wire.close();
    return codes;
  });
  assert.deepEqual(outcomes, ['forbidden', 'forbidden', 'forbidden', 'allowed']);
  await leave();
});

test('mallory gets no price, and is told why', async () => {
  const { page, leave } = await enter('mallory', '/market');
  await page.locator('#notice').getByText('No prices: forbidden.').waitFor();
  assert.equal(await page.locator('#rows tr').count(), 0);
  await leave();
});
