// A server of a test's own: its configuration, certificate and files in a folder that goes with it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const certificate =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,DNS:live.example.com -addext basicConstraints=critical,CA:FALSE';

/**
 * Starts WARDWIRE_BIN by `configuration` (its `[server]` but for `listen` and `tls`, and all tables behind it), beside `files`,
 * their texts by name. Gives its port, its folder, the file of whom to trust, and `stop`, with which the folder goes too.
 */
export async function ownServer(configuration, files = {}, folder = mkdtempSync(join(tmpdir(), 'wardwire-own-'))) {
  const { WARDWIRE_BIN: binary } = process.env;
  if (binary === undefined) throw new Error('Set WARDWIRE_BIN to the server.');
  execFileSync('openssl', certificate.split(' '), { cwd: folder, stdio: 'ignore' });
  const always = '[server]\nlisten = "127.0.0.1:0"\ntls = { cert = "cert.pem", key = "key.pem" }\n';
  for (const [name, text] of Object.entries({ ...files, 'wardwire.toml': always + configuration })) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  const server = spawn(binary, ['serve', '--config', join(folder, 'wardwire.toml')], { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { port: await portOf(server), folder, ca: join(folder, 'cert.pem'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port, from the log's line. */
function portOf(server) {
  return new Promise((resolve, reject) => {
    let said = '';
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`The server ended with ${code}. It said:\n${said}`)));
    createInterface({ input: server.stderr }).on('line', (line) => {
      said += `${line}\n`;
      const address = line.startsWith('{') ? JSON.parse(line).fields?.address : undefined;
      if (address !== undefined) resolve(Number(address.slice(address.lastIndexOf(':') + 1)));
    });
  });
}
