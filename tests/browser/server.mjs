// The server under test: one that runs already, or one that this starts and stops.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How long anything awaited may take, on whatever machine. No test is about how long it takes. */
export const patienceMs = 120_000;

/** Whether the demo is to speak HTTP/2, sockets included. */
export const overHttp2 = process.env.WARDWIRE_HTTP2 !== undefined;

/** What starts the demo with a provider at which people sign in. */
const withProvider = fileURLToPath(new URL('../../packages/demos/provider/demo.mjs', import.meta.url));

/** Gives `{ url, ca, stop }`: from WARDWIRE_URL and WARDWIRE_CA, or by starting the binary WARDWIRE_BIN. */
export async function demoServer({ provider = false } = {}) {
  const { WARDWIRE_BIN: binary, WARDWIRE_URL: url = 'https://localhost:8443', WARDWIRE_CA: ca } = process.env;
  if (binary !== undefined) return start(binary, provider);
  if (ca === undefined) throw new Error('Set WARDWIRE_BIN to start a server, or WARDWIRE_URL and WARDWIRE_CA for one that runs.');
  return { url, ca, stop: async () => undefined };
}

async function start(binary, provider) {
  const data = mkdtempSync(join(tmpdir(), 'wardwire-demo-'));
  const drop = () => rmSync(data, { recursive: true, force: true });
  const { port, process: server } = await startDemo({ binary, provider, data, stderr: 'inherit' }).catch((error) => {
    drop();
    throw error;
  });
  const stop = async () => {
    await end(server);
    drop();
  };
  return { url: `https://localhost:${port}`, ca: join(data, 'ca.pem'), stop };
}

/** Starts the demo, with its files in the folder `data` and more of `spawn`'s options. Gives its process and its first port. */
export async function startDemo({ binary = process.env.WARDWIRE_BIN, provider, data, stderr = 'pipe', ...more }) {
  for (let tries = 1; ; tries += 1) {
    const port = await freeRun(provider ? 3 : 2);
    try {
      return { port, process: await startAt(port, { binary, provider, data, stderr, ...more }) };
    } catch (error) {
      // Somebody else may have taken a port meanwhile.
      if (tries === 3) throw error;
    }
  }
}

async function startAt(port, { binary, provider, data, stderr, ...more }) {
  const http2 = overHttp2 ? ['--http2'] : [];
  const [program, ...first] = provider ? [process.execPath, withProvider, binary] : [binary, 'demo'];
  const server = spawn(program, [...first, '--data', data, '--listen', `127.0.0.1:${port}`, ...http2], {
    stdio: ['ignore', 'pipe', stderr],
    ...more,
  });
  server.stderr?.resume();
  try {
    await readyLine(server);
  } catch (error) {
    await end(server);
    throw error;
  }
  return server;
}

async function end(server) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGTERM');
  await once(server, 'exit');
}

function readyLine(server) {
  return new Promise((resolve, reject) => {
    let said = '';
    const give = setTimeout(() => reject(new Error(`The server did not get ready. It said:\n${said}`)), patienceMs);
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`The server ended with ${code}. It said:\n${said}`)));
    server.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (!/\bready\b/i.test(said)) return;
      clearTimeout(give);
      resolve();
    });
  });
}

/** A free port of which the next ones are free too: the hostile origin's, and the provider's. This one, if it is named. */
export async function freeRun(length, named = 0) {
  for (let round = 0; round < (named === 0 ? 50 : 1); round += 1) {
    const first = await listen(named);
    const { port } = first.address();
    const next = Array.from({ length: length - 1 }, (_, at) => listen(port + 1 + at).catch(() => null));
    const all = [first, ...(await Promise.all(next))];
    for (const server of all) {
      if (server === null) continue;
      server.close();
      await once(server, 'close');
    }
    if (!all.includes(null)) return port;
  }
  throw new Error('No ports side by side are free.');
}

async function listen(port) {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
