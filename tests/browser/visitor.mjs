// People who visit the demos, each in a browser of their own, and what they do there.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer } from './server.mjs';

/** Every page of the demo. */
export const pages = ['/', '/chat', '/market', '/arena'];
/** Does the same on every page, in a browser for each. */
export const everywhere = (what) => Promise.all(pages.map(what));
export const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** What browsers write into the console of their own accord when a server says no or goes away. */
const ofTheNetwork = /^Failed to load resource|^WebSocket (connection to|is already in)/;
const ofThePolicy = /Content Security Policy|Trusted ?Type|^policy:/i;

/** A server and a browser for the tests of a file. */
export function demo(options) {
  const running = {};
  before(async () => {
    running.server = await demoServer(options);
    running.chromium = await openChromium(running.server.ca);
  });
  after(async () => {
    await running.chromium?.close();
    await running.server?.stop();
  });

  /**
   * A browser of one's own: no cookie is shared. Leaving it fails the test on any error that its page had or wrote down, and
   * on whatever the page's policy had to block, unless `blocks` says that it is expected.
   */
  const visit = async (path, { prepare, blocks = 'unexpected', ...options } = {}) => {
    const context = await running.chromium.browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1440, height: 1000 }, ...options });
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      const [text, type] = [message.text(), message.type()];
      if (ofThePolicy.test(text) ? blocks === 'unexpected' : type === 'error' && !ofTheNetwork.test(text)) errors.push(text);
    });
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) => console.error(`policy: ${effectiveDirective} ${blockedURI} ${sample}`));
    });
    await prepare?.(context, page);
    await page.goto(running.server.url + path);
    const leave = async () => {
      await context.close();
      assert.deepEqual(errors, []);
    };
    return { page, context, leave };
  };

  /** The same, signed in. */
  const enter = async (account, path, options) => {
    const visitor = await visit(path, options);
    await signIn(visitor.page, account);
    return visitor;
  };
  return { running, visit, enter };
}

export async function signIn(page, account) {
  await page.getByTestId(`sign-in-${account}`).click();
  await inState(page, 'open');
}

/** Waits until the connection is in this state. */
export async function inState(page, state) {
  await page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
}

/** Opens a room, and waits until it is followed. */
export async function enterRoom(page, room) {
  await page.getByTestId(`room-${room}`).click();
  await page.locator('#room[data-state=live]').waitFor();
}

export async function say(page, text) {
  await page.getByTestId('message').fill(text);
  await page.getByTestId('send').click();
}

/** What somebody said, as it is shown. */
export function bubble(page, from, text) {
  return page.locator(`[data-testid=messages] [data-from="${from}"]`, { hasText: text });
}

/** The texts of all messages that are shown, in their order. */
export function allSaid(page) {
  return page.locator('[data-testid=messages] [data-part=text]').allInnerTexts();
}

/** Nothing of what one saw is left, and the way in is shown. */
export async function assertSignedOut(page, why) {
  await page.getByTestId('sign-in-alice').waitFor();
  if (why !== undefined) assert.match(await page.locator('#sign-in [data-testid=notice]').innerText(), why);
  assert.equal(await page.locator('#demo').isVisible(), false);
  const left = await page.evaluate(() => {
    const shown = '#list, #people, #count, #typing, #rows, #orders, #answer, #chosen, #price, #change, #rate, #scores, #who, #account, .pane ul, .pane div';
    const texts = [...document.querySelectorAll(shown)].map(({ textContent }) => textContent);
    const fields = [...document.querySelectorAll('#message, #symbol, #limit')].map(({ value }) => value);
    return [...texts, ...fields].filter((text) => text !== '');
  });
  assert.deepEqual(left, []);
}

/** Tries one of the attacks, and waits for what comes of it. */
export async function attack(page, id) {
  await page.getByTestId(`attack-${id}`).locator('[data-part=run]').click();
  await page.locator(`[data-testid=attack-${id}][data-state=done]`).waitFor();
}

/** What is done on a page there and then: it works. */
export async function assertInUse(page) {
  const path = new URL(page.url()).pathname;
  if (path === '/chat') {
    await page.locator('#room[data-state=live]').waitFor();
    const text = `in use ${Math.random()}`;
    await say(page, text);
    await page.locator('.bubble.own', { hasText: text }).getByText('Delivered').waitFor();
  }
  if (path === '/market') {
    await page.locator('#rows tr').first().waitFor();
    const first = await page.getByTestId('price').textContent();
    await page.waitForFunction((before) => document.querySelector('#price').textContent !== before, first);
    await page.getByTestId('order').click();
    await page.getByTestId('answer').getByText('Taken after').waitFor();
  }
  if (path === '/arena') for (const id of ['move', 'seen']) await page.getByTestId(id).getByText(/^[0-9.]+ ms$/).waitFor();
  await page.getByTestId('latency').getByText(/^[0-9.]+ ms$/).waitFor();
}

export async function assertNoSidewaysScroll(page) {
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= view, `${page.url()} is ${content} px wide in a window of ${view} px`);
}
