/** A page for React to render into; imported before React, which looks for one when it is loaded. */

import { JSDOM } from 'jsdom';

const { window } = new JSDOM('<!doctype html><body></body>');
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  // Some Nodes have a `navigator` of their own, which cannot be assigned.
  Object.defineProperty(globalThis, name, { value, configurable: true });
}

/** Resolves once the page says what is expected of it; the test's own time limit ends a wait in vain. */
export function shows(root: Element, expected: string | RegExp): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const text = root.textContent ?? '';
      if (!(typeof expected === 'string' ? text === expected : expected.test(text))) return;
      observer.disconnect();
      resolve();
    };
    const observer = new window.MutationObserver(look);
    observer.observe(root, { subtree: true, childList: true, characterData: true });
    look();
  });
}
