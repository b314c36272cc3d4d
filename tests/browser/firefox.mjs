// A real Firefox that trusts the demo's own CA, in a fresh profile, driven by WebDriver BiDi, which it speaks itself.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import WebSocket from 'ws';

/** Where Firefox is, by FIREFOX or where Debian puts it. */
const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** Nobody but the server under test is asked for anything. */
const preferences = {
  'app.normandy.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.systemAddon.update.enabled': false,
  'messaging-system.rsexperimentloader.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
};

/** Starts the browser with `ca` (a PEM file) as its only extra root. Gives `{ visit, errors, close }`. */
export async function openFirefox(ca) {
  if (!existsSync(executablePath)) throw new Error(`There is no ${executablePath}: apt-get install firefox-esr, or set FIREFOX.`);
  const profile = mkdtempSync(join(tmpdir(), 'wardwire-firefox-'));
  execFileSync('certutil', ['-d', `sql:${profile}`, '-N', '--empty-password']);
  execFileSync('certutil', ['-d', `sql:${profile}`, '-A', '-t', 'C,,', '-n', 'wardwire-test', '-i', ca]);
  writeFileSync(join(profile, 'user.js'), Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(''));
  const browser = spawn(executablePath, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], {
    env: { ...process.env, HOME: profile },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(browser, 'exit');
  let socket;
  const close = async () => {
    socket?.terminate();
    browser.kill();
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    socket = new WebSocket(`${await address(browser)}/session`);
    await once(socket, 'open');
    const { ask, errors } = session(socket);
    await ask('session.new', { capabilities: {} });
    await ask('session.subscribe', { events: ['log.entryAdded'] });
    const visit = async (url) => {
      const { context } = await ask('browsingContext.create', { type: 'tab' });
      await ask('browsingContext.navigate', { context, url, wait: 'complete' });
      return (work, ...given) => run(ask, context, work, given);
    };
    return { visit, errors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where it listens, which it says once it does. What it says later is read too, as it waits for that. */
function address(browser) {
  const said = [];
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: browser.stderr });
    lines.on('line', (line) => {
      const found = /^WebDriver BiDi listening on (\S+)$/.exec(line);
      if (found === null) said.push(line);
      else resolve(found[1]);
    });
    lines.on('close', () => reject(new Error(`Firefox ended. It said:\n${said.join('\n')}`)));
  });
}

/** Commands and their answers (WebDriver BiDi §5), and the errors of pages. */
function session(socket) {
  const asked = new Map();
  const errors = [];
  let id = 0;
  socket.on('message', (bytes) => {
    const message = JSON.parse(bytes);
    if (message.method === 'log.entryAdded' && message.params.type === 'javascript' && message.params.level === 'error') errors.push(message.params.text);
    const { resolve, reject } = asked.get(message.id) ?? {};
    asked.delete(message.id);
    if (message.type === 'success') resolve?.(message.result);
    if (message.type === 'error') reject?.(new Error(`${message.error}: ${message.message}`));
  });
  socket.on('close', () => {
    for (const { reject } of asked.values()) reject(new Error('Firefox ended.'));
  });
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      asked.set((id += 1), { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
  return { ask, errors };
}

/** Runs a function in the page, with what JSON can carry to it and back. */
async function run(ask, context, work, given) {
  const functionDeclaration = `async () => JSON.stringify(await (${work})(...${JSON.stringify(given)}))`;
  const outcome = await ask('script.callFunction', { functionDeclaration, awaitPromise: true, target: { context } });
  if (outcome.type === 'exception') throw new Error(outcome.exceptionDetails.text);
  return outcome.result.value === undefined ? undefined : JSON.parse(outcome.result.value);
}
