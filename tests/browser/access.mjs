// Whether everybody can use a page: what axe-core finds, and whether the keyboard alone leads everywhere.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Has axe-core in every page of a visitor. */
export const withAxe = (context) => context.addInitScript({ path: axe });

/** Nothing of what axe-core finds is serious, in light and dark. */
export async function assertAccessible(page, when) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
    assert.deepEqual(told, [], `${page.url()}, ${colorScheme}, ${when}`);
  }
}

/** Goes on by the tabulator to what `selector` names. At every stop one sees where one is. */
export async function tabTo(page, selector) {
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
