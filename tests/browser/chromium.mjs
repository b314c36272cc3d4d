// A real Chromium that trusts the demo's own CA, in a fresh home: certificate errors are never ignored.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

/** Where Chromium is, by CHROMIUM or where Debian puts it. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/**
 * Starts the browser with `ca` (a PEM file) as its only extra root, or, with `trust: 'P,,'`, as the certificate of one server.
 * `args` are more of its own.
 */
export async function openChromium(ca, { trust = 'C,,', args = [] } = {}) {
  if (!existsSync(executablePath)) throw new Error(`There is no ${executablePath}: apt-get install chromium, or set CHROMIUM.`);
  const home = mkdtempSync(join(tmpdir(), 'wardwire-browser-'));
  // Chromium reads $HOME/.pki/nssdb (its Linux certificate documentation).
  const store = join(home, '.pki/nssdb');
  mkdirSync(store, { recursive: true });
  execFileSync('certutil', ['-d', `sql:${store}`, '-N', '--empty-password']);
  execFileSync('certutil', ['-d', `sql:${store}`, '-A', '-t', trust, '-n', 'wardwire-test', '-i', ca]);
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args],
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_CACHE_HOME: join(home, '.cache') },
  });
  const close = async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true });
  };
  return { browser, close };
}
