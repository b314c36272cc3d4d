// A phone's width holds whatever the server or somebody else says, in every place that shows it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { texts } from './hostile.mjs';
import { demo, enterRoom, everywhere, fill, inState, phone, signIn, tooWide } from './visitor.mjs';

const { visit } = demo();

/**
 * In the page: puts `text` wherever a text is that does not say the same in every case, and the longest numbers where numbers
 * are. Gives what is too wide by that, and how many texts there were, which then stand there again.
 */
function said(text, tooWide) {
  const same =
    'h1, h2:not(#chosen), h3, h4, dt, label, option, thead, time, summary, nav, noscript, .skip, .brand, .foot, .intro, .lead, .picks, .demo, .gate, .rooms, ' +
    '.room-head, .tries, .badge, .chip, .attack-head p, .figures dd, .rate, .scores strong, .orders span, button:not(.instrument)';
  const before = new Map();
  const put = (node, words) => {
    before.set(node, node.data);
    node.data = words;
  };
  for (const empty of document.querySelectorAll('.notice:empty, .error:empty')) empty.append('–');
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() !== null) {
    const { currentNode: node } = walker;
    const parent = node.parentElement;
    if (node.data.trim() === '') continue;
    if (parent.closest('.price, #price') !== null) put(node, '-99999.99');
    else if (parent.closest('.change, #change') !== null) put(node, '−99999.99 %');
    else if (parent.id === 'who' || parent.closest(same) === null) put(node, text);
  }
  const wide = tooWide();
  for (const [node, words] of before) node.data = words;
  return { wide, places: before.size };
}

async function assertHolds(page) {
  for (const text of texts) {
    const { wide, places } = await page.evaluate(`(${said})(${JSON.stringify(text)}, ${tooWide})`);
    assert.ok(places > 3, String(places));
    assert.deepEqual(wide, [], `${page.url()}: ${text.slice(0, 80)}`);
  }
}

test('no page is wider than a phone, whatever is said in it', async () => {
  await everywhere(async (path) => {
    const { page, leave } = await visit(`${path}?error=none`, phone);
    await page.locator('#sign-in [data-testid=notice]').getByText('That came to nothing').waitFor();
    await assertHolds(page);
    await signIn(page, 'alice');
    await fill(page, path);
    await assertHolds(page);
    await page.getByTestId('pull').click();
    await inState(page, 'waiting');
    await assertHolds(page);
    await page.getByTestId('pull').click();
    await inState(page, 'open');
    if (path === '/chat') {
      await enterRoom(page, 'raw');
      await page.getByText('This room does not tell.').waitFor();
      await assertHolds(page);
    }
    await page.getByTestId('sign-out').click();
    await signIn(page, 'mallory');
    if (path !== '/') await page.locator('#notice').getByText(/forbidden/i).waitFor();
    await assertHolds(page);
    await leave();
  });
});
