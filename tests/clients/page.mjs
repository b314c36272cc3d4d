// Loaded before an example of a page: a document, whose paragraphs are printed whenever they change, the server's own origin as its
// address, and alice's token where a browser would send the cookie of her session.

import { JSDOM } from 'jsdom';

const { ACCESS_TOKEN } = process.env;
const { window } = new JSDOM('<!doctype html><body></body>');
const { document, navigator } = window;
const { fetch } = globalThis;

const surroundings = {
  window,
  document,
  navigator,
  location: { origin: 'https://live.example.com' },
  fetch: (url, { headers, credentials, ...init }) =>
    fetch(url, { ...init, credentials, headers: { ...headers, ...(credentials === 'include' && { authorization: `Bearer ${ACCESS_TOKEN}` }) } }),
  // What the application has of its own.
  fetchAccessToken: () => ACCESS_TOKEN,
};
// Some Nodes have a `navigator` of their own, which cannot be assigned.
for (const [name, value] of Object.entries(surroundings)) Object.defineProperty(globalThis, name, { value, configurable: true });

const show = () => {
  for (const { textContent } of document.querySelectorAll('p')) console.log(textContent);
  const button = document.querySelector('button');
  // Each button once, when there is a connection.
  if (button?.dataset.pressed === undefined && document.body.textContent.includes('1 here, live')) {
    button.dataset.pressed = '';
    button.click();
  }
};
new window.MutationObserver(show).observe(document.body, { subtree: true, childList: true, characterData: true });
