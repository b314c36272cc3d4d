// People who visit the demos, each in a browser of their own, and what they do there.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { openChromium } from './chromium.mjs';
import { demoServer, patienceMs } from './server.mjs';

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
   * A browser of one's own: no cookie is shared. Leaving it fails the test on any error that its pages had or wrote down, and
   * on whatever the pages' policy had to block, unless `blocks` says that it is expected.
   */
  const visit = async (path, { prepare, blocks = 'unexpected', ...options } = {}) => {
    const context = await running.chromium.browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1440, height: 1000 }, ...options });
    context.setDefaultTimeout(patienceMs);
    const page = await context.newPage();
    const errors = [];
    context.on('weberror', (error) => errors.push(error.error().message));
    context.on('console', (message) => {
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

/** Publishes from the page of somebody, by the client alone, and gives the codes of what was refused. Text is JSON. */
export function publish(page, channel, texts) {
  return page.evaluate(
    async ([name, all]) => {
      const { connect, session } = await import('/client/index.js');
      const wire = connect('/live', { auth: session() });
      const codes = [];
      for (const data of all) await wire.channel(name).publish(typeof data === 'string' ? JSON.parse(data) : data).catch(({ code }) => codes.push(code));
      wire.close();
      return codes;
    },
    [channel, texts],
  );
}

/** The texts of all messages that are shown, in their order. */
export function allSaid(page) {
  return page.locator('[data-testid=messages] [data-part=text]').allInnerTexts();
}

/** Nothing of what one saw is left: but for how it ended, the page is as it is to whoever has never been signed in. */
export async function assertSignedOut(page, why) {
  await page.getByTestId('sign-in-alice').waitFor();
  if (why !== undefined) assert.match(await page.locator('#sign-in [data-testid=notice]').innerText(), why);
  const context = await page.context().browser().newContext();
  context.setDefaultTimeout(patienceMs);
  const fresh = await context.newPage();
  await fresh.goto(page.url());
  await fresh.getByTestId('sign-in-alice').waitFor();
  const [left, untouched] = await Promise.all([page, fresh].map((each) => each.evaluate(remembered)));
  await context.close();
  assert.deepEqual([without(left, untouched), without(untouched, left)], [[], []], page.url());
}

/** The lines of one that the other has not. */
function without(lines, others) {
  const more = [...others];
  return lines.filter((line) => !more.includes(line) || more.splice(more.indexOf(line), 1).length === 0);
}

/** In the page: all that it is made of, shows, draws and keeps, in lines. */
async function remembered() {
  const lines = [document.title, location.href, `state ${history.state}`, `cookie ${document.cookie}`];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) lines.push(node.data);
    // How the connection is, and how it came to that.
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches('#status, .events, #sign-in .notice')) return;
    const attributes = node.getAttributeNames().sort().map((name) => ` ${name}="${node.getAttribute(name)}"`);
    lines.push(`<${node.tagName}${attributes.join('')}>${node.value ?? ''}`);
    if (node instanceof HTMLCanvasElement) {
      const blank = Object.assign(document.createElement('canvas'), { width: node.width, height: node.height });
      if (node.toDataURL() !== blank.toDataURL()) lines.push('drawn on');
    }
    for (const child of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) walk(child);
  };
  walk(document.documentElement);
  for (const stored of [localStorage, sessionStorage]) lines.push(...Object.keys(stored));
  lines.push(...(await indexedDB.databases()).map(({ name }) => name), ...(await caches.keys()));
  return lines.filter((line) => line.trim() !== '');
}

/** Tries one of the attacks, and waits for what comes of it. */
export async function attack(page, id) {
  await page.getByTestId(`attack-${id}`).locator('[data-part=run]').click();
  await page.locator(`[data-testid=attack-${id}][data-state=done]`).waitFor();
}

/** What was said to see that a page works. */
let uses = 0;

/** What is done on a page there and then: it works. */
export async function assertInUse(page) {
  const path = new URL(page.url()).pathname;
  if (path === '/chat') {
    await page.locator('#room[data-state=live]').waitFor();
    const text = `in use ${(uses += 1)}.`;
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

/** Brings a page to where it has to say no, as well as to what it is for. */
export async function fill(page, path) {
  await assertInUse(page);
  await attack(page, 'no-credential');
  if (path === '/chat') {
    await page.getByTestId('try-long').click();
    await bubble(page, 'alice', 'far too long').getByText('Refused').waitFor();
  }
  if (path === '/market') {
    await page.getByTestId('bad-order').click();
    await page.getByTestId('answer').getByText('Refused').waitFor();
  }
  if (path === '/arena') {
    await page.getByTestId('flood').click();
    await page.locator('#notice').getByText('Of 500 moves at once').waitFor();
  }
}

/** Nothing is wider than the window, nor than what it stands in, where that would cut it off or scroll it sideways. */
export async function assertNoSidewaysScroll(page) {
  assert.deepEqual(await page.evaluate(tooWide), []);
}

/** In the page: what is too wide, but for what is meant to be. */
export function tooWide() {
  const { scrollWidth, clientWidth } = document.documentElement;
  const meant = (it) => it.matches('.account .name, .entry pre, input, .skip') || it.closest('.uplot') !== null;
  const wide = [...document.querySelectorAll('body *')].filter((it) => {
    if (!(it instanceof HTMLElement) || it.offsetParent === null || meant(it)) return false;
    const cut = it.scrollWidth > it.clientWidth && getComputedStyle(it).overflowX !== 'visible';
    return cut || (scrollWidth > clientWidth && it.getBoundingClientRect().right > clientWidth + 1);
  });
  const told = wide.map((it) => `${it.tagName} ${it.id} ${it.className}: ${it.scrollWidth} px in ${it.clientWidth} px`);
  return scrollWidth > clientWidth ? [`the page: ${scrollWidth} px in ${clientWidth} px`, ...told] : told;
}
