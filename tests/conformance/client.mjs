// `client.mjs PYTHON FOLDER`: Autobahn|Testsuite's fuzzingserver judges `SecureWebSocket` and, in the same run and through the same proxy, the WebSocket below it.
// FOLDER holds a certificate and `fuzzingserver.json`, what to ask. There the reports come to be, and `heard.json`: what an application was told in each case,
// which the testsuite cannot see. Whether all that is good is for `cargo xtask conformance` to say.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { bearer, SecureWebSocket } from '@wardwire/client';
import * as ws from 'ws';

import { proxyTo } from './proxy.mjs';

const [python, folder] = process.argv.slice(2);
const token = 'of-this-run';
/** Longer than the testsuite waits in any case, which is 480 s. */
const patienceMs = 600_000;

/** Node's own, which it has from 22 on. */
const WebSocket = globalThis.WebSocket ?? ws.WebSocket;
const agents = {
  WebSocket: (url) => new WebSocket(url),
  SecureWebSocket: (url) => new SecureWebSocket(url, [], { auth: bearer(() => token), platform: { WebSocket } }),
};

/** Sends back whatever comes, until it is closed. What was told meanwhile, in its order. */
function echo(socket) {
  socket.binaryType = 'arraybuffer';
  const told = [];
  let messages = 0;
  const all = createHash('sha256');
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${socket.url} was not closed.`)), patienceMs);
    socket.onopen = () => told.push('open');
    socket.onmessage = ({ data }) => {
      if (told.at(-1) !== 'messages') told.push('messages');
      messages += 1;
      all.update(`${typeof data} ${data.length ?? data.byteLength} `).update(typeof data === 'string' ? data : new Uint8Array(data));
      socket.send(data);
    };
    socket.onerror = () => told.push(socket.refusal?.code ?? 'error');
    socket.onclose = ({ code, reason, wasClean }) => {
      clearTimeout(late);
      told.push(`close ${code} ${JSON.stringify(reason)} ${wasClean}`);
      resolve(`${told.join(', ')}; ${messages} messages, ${all.digest('hex')}`);
    };
  });
}

const judge = spawn(python, ['-B', fileURLToPath(new URL('fuzzingserver.py', import.meta.url)), join(folder, 'fuzzingserver.json')], {
  stdio: ['pipe', 'pipe', openSync(join(folder, 'fuzzingserver.log'), 'w')],
});
const ended = once(judge, 'exit').then(([code]) => Promise.reject(new Error(`The fuzzingserver ended with ${code}; its log is in ${folder}.`)));
const [said] = await Promise.race([once(createInterface({ input: judge.stdout }), 'line'), ended]);
const { port, cases } = JSON.parse(said);
const proxy = await proxyTo(port, {
  token,
  ticketed: ['SecureWebSocket'],
  cert: readFileSync(join(folder, 'cert.pem')),
  key: readFileSync(join(folder, 'key.pem')),
});
const at = `wss://localhost:${proxy.port}`;

// Both are asked each case at once, as much of the time is the testsuite's own waiting.
const heard = { WebSocket: {}, SecureWebSocket: {} };
for (const id of cases) {
  const asked = Object.entries(agents).map(async ([agent, open]) => (heard[agent][id] = await echo(open(`${at}/${agent}/runCase/${id}`))));
  await Promise.race([Promise.all(asked), ended]);
}
await Promise.race([proxy.quiet(), ended]);
await Promise.race([echo(agents.WebSocket(`${at}/WebSocket/updateReports`)), ended]);
writeFileSync(join(folder, 'heard.json'), JSON.stringify(heard, null, 1));
ended.catch(() => undefined);
judge.stdin.end();
proxy.close();
