// `cargo xtask demo --provider`: the demo, and beside it an OpenID provider at which people sign in.
//
// It is called with the server's binary and the arguments of `wardwire demo`, and ends with the server, which it ends by its
// pid when it is told to end. The server's standard input is a pipe of this process, so that it ends even where this one could
// tell it nothing any more.

import { spawn } from 'node:child_process';

import { startProvider } from './provider.mjs';

const [binary, ...given] = process.argv.slice(2);
const server = spawn(binary, ['demo', '--provider', ...given], { stdio: ['pipe', 'pipe', 'inherit'] });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
process.on('exit', () => server.kill());
server.on('error', (error) => {
  console.error(`${binary}: ${error.message}`);
  process.exit(1);
});
server.on('exit', (code) => process.exit(code ?? 1));

let said = '';
let started = false;
server.stdout.on('data', async (chunk) => {
  if (started) return void process.stdout.write(chunk);
  said += String(chunk);
  const [, url] = /is ready: (https:\S+)/.exec(said) ?? [];
  const [, folder] = /is signed by (.+)\/ca\.pem,/.exec(said) ?? [];
  if (url === undefined || folder === undefined) return;
  started = true;
  // Its certificate is the demo's, which is there only now.
  const issuer = await startProvider(url, folder);
  process.stdout.write(`People sign in at ${issuer}.\n${said}`);
});
