// What a hostile publisher says, and a server that lies: rows 63 and 64 of what is attacked, for every page of the demo.

import assert from 'node:assert/strict';

import { pages } from './visitor.mjs';

/** The set of row 63, and what a page could be made to do without any script. */
export const hostile = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<a href="javascript:alert(1)">link</a>',
  '<a href="java\tscript:alert(1)">link</a>',
  '<a href="&#106;avascript&colon;alert(1)">link</a>',
  '<a href=" \u0001javascript:alert(1)">link</a>',
  '<math><annotation-xml encoding="text/html"><script>alert(1)</script></annotation-xml></math>',
  '<math href="javascript:alert(1)">link</math>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<template><script>alert(1)</script></template>',
  '<template shadowrootmode=open><img src=x onerror=alert(1)></template>',
  '<scr<script>ipt>alert(1)</script>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<iframe src="javascript:parent.alert(1)"></iframe>',
  '<object data="javascript:alert(1)"></object>',
  '<details open ontoggle=alert(1)><summary>x</summary></details>',
  '<input autofocus onfocus=alert(1)>',
  '<b style="background:url(javascript:alert(1))" id=account class=card onclick=alert(1)>bold</b>',
  '<form id=composer><input name=message></form>',
  '<base href="//evil.example"><link rel=stylesheet href="//evil.example/x.css">',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<style>body{display:none}</style>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
];

/** The words of row 64, as names and as keys. */
export const prototypeWords = ['__proto__', 'constructor', 'prototype'];

/** Whatever can stand where a text is: markup, words that reach into prototypes, what is far too long, and what turns the direction of text. */
export const texts = [...hostile.map((html, at) => `${html} end of ${at}.`), ...prototypeWords, 'W'.repeat(400), '\u202eecila', '\u0300'.repeat(60)];

/** Some of them, where each costs a page. */
export const someTexts = texts.filter((_, at) => at % 4 === 0 || at >= hostile.length);

/** What is no number, or none to draw. */
export const oddNumbers = [null, true, '1', '<b>1</b>', [], {}, { valueOf: 1, toString: 1 }, 1e308, -1e308, 5e-324];

/** Fails on whatever came to life: a dialog, a request to elsewhere, a navigation. */
export async function watched(context, page) {
  page.lively = [];
  await context.addInitScript(() => (globalThis.alert = () => (globalThis.brokenIn = true)));
  page.on('dialog', (dialog) => page.lively.push(`dialog ${dialog.type()}`));
  context.on('request', (request) => new URL(request.url()).hostname === 'localhost' || page.lively.push(`request ${request.url()}`));
  page.on('framenavigated', (frame) => pages.includes(new URL(frame.url()).pathname) || page.lively.push(`navigation ${frame.url()}`));
  context.on('page', (another) => another === page || page.lively.push(`window ${another.url()}`));
}

/**
 * Has a server that lies: in the page each object of each frame goes through `lie(object, words, count)` first, which stands alone;
 * `count` is of the frames. What it gives takes the object's place.
 */
export const lying = (lie, words) => async (context, page) => {
  await watched(context, page);
  await context.addInitScript({ content: `(${deliverLies})(${lie}, ${JSON.stringify(words)})` });
};

function deliverLies(lie, words) {
  const { get } = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data');
  const told = new WeakMap();
  let count = 0;
  const instead = (frame) => {
    count += 1;
    return JSON.stringify(JSON.parse(frame, (_, value) => (typeof value === 'object' && value !== null ? lie(value, words, count) : value)));
  };
  const data = function data() {
    const given = get.call(this);
    if (!(this.target instanceof WebSocket) || typeof given !== 'string') return given;
    if (!told.has(this)) told.set(this, instead(given));
    return told.get(this);
  };
  Object.defineProperty(MessageEvent.prototype, 'data', { get: data, configurable: true });
}

/** Nothing of what came is more than text: the page is made of what it was made of, and nothing ran. */
export async function assertInert(page) {
  const found = await page.evaluate(() => {
    const known = new Set(
      ('A ARTICLE ASIDE BDI BODY BUTTON CANVAS CODE DD DETAILS DIV DL DT EM FOOTER FORM H1 H2 H3 H4 HEAD HEADER HTML IMG INPUT LABEL LI LINK MAIN META NAV NOSCRIPT OL ' +
        'OPTION P PRE SCRIPT SECTION SELECT SPAN STRONG SUMMARY TABLE TBODY TD TH THEAD TIME TITLE TR UL circle path polyline rect svg').split(' '),
    );
    const own = { A: 'href', IMG: 'src', SCRIPT: 'src', LINK: 'href' };
    const ids = new Set();
    const odd = [];
    for (const made of document.querySelectorAll('*')) {
      // What the chat shows as HTML is looked at by its own rules.
      if (made.parentElement?.closest('[data-part=text], .shown')) continue;
      const names = made.getAttributeNames();
      const address = own[made.tagName] === undefined ? location.href : made[own[made.tagName]];
      const handled = names.some((name) => name.startsWith('on') || ['srcdoc', 'action', 'formaction', 'xlink:href', 'http-equiv'].includes(name));
      const styled = names.includes('style') && made.closest('.uplot') === null;
      if (!known.has(made.tagName) || handled || styled || made.shadowRoot !== null || new URL(address).origin !== location.origin || ids.has(made.id)) odd.push(made.outerHTML.slice(0, 200));
      if (made.id !== '') ids.add(made.id);
    }
    return { odd, ran: 'brokenIn' in globalThis, reached: [{}.polluted, [].polluted, (() => 0).polluted].some((it) => it !== undefined) };
  });
  assert.deepEqual([found, page.lively], [{ odd: [], ran: false, reached: false }, []]);
}
