// People who visit the demos, each in a browser of their own, and what they do there.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer } from './server.mjs';

/** Every page of the demo. */
export const pages = ['/', '/chat', '/market', '/arena'];
/** What browsers write into the console of their own accord when a server says no or goes away. */
const ofTheNetwork = /^Failed to load resource|^WebSocket (connection to|is already in)/;
const ofThePolicy = /Content Security Policy|Trusted ?Type|^policy:/i;
export const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

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
  assert.equal(await page.locator('#list li, #people li, #rows tr, #orders li, #scores li').count(), 0);
}

export async function assertNoSidewaysScroll(page) {
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= view, `${page.url()} is ${content} px wide in a window of ${view} px`);
}
