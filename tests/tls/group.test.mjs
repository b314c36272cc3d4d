// The key exchange that a real browser agrees on with the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openChromium } from '../browser/chromium.mjs';

test('Chromium agrees on TLS 1.3 with the post-quantum group X25519MLKEM768', async () => {
  const { browser, close } = await openChromium(process.env.WARDWIRE_CA);
  try {
    const page = await browser.newPage();
    const developer = await page.context().newCDPSession(page);
    await developer.send('Network.enable');
    const answered = new Promise((resolve) => developer.once('Network.responseReceived', resolve));
    await page.goto(`https://${process.env.WARDWIRE_HOST}/.wardwire/session`);
    const { securityDetails } = (await answered).response;
    assert.equal(securityDetails.protocol, 'TLS 1.3');
    assert.equal(securityDetails.keyExchangeGroup, 'X25519MLKEM768');
  } finally {
    await close();
  }
});
