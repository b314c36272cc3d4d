// A server and two sites that are not its own: one whose user has an access token, and one whose user has a cookie of the
// application's that the server shares a site with.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { build } from 'esbuild';

import { ownServer } from '../clients/own-server.mjs';

const cookie = { name: 'sid', value: 'carols', domain: 'localhost', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' };

/**
 * Starts all of it. Of each site gives `page`, its address, `token` or `cookies`, and `nobody`, who has neither; beside them the
 * server's `port`, `ca`, `host`, the client to load into a page, and `stop`.
 */
export async function openSites({ http2 }) {
  const folder = mkdtempSync(join(tmpdir(), 'wardwire-sites-'));
  const pages = await listening(createSecureServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>')));
  const application = await listening(
    createServer(({ headers }, response) => {
      const known = headers.cookie === `sid=${cookie.value}`;
      response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' }).end(known ? '{"sub":"carol"}' : '');
    }),
  );
  const mint = (...options) => execFileSync(process.env.WARDWIRE_BIN, ['token', '--key', join(folder, 'issuer.pem'), ...options], { encoding: 'utf8' }).trim();
  mint('--new-key');
  const at = (host) => `https://${host}:${pages.address().port}/`;
  const sites = {
    ticket: { page: at('live.example.com'), token: mint('--issuer', 'https://issuer.test', '--audience', 'sites', '--subject', 'alice') },
    cookie: { page: at('localhost'), cookies: [cookie] },
  };
  const configuration = `
origins = [${Object.values(sites).map(({ page }) => JSON.stringify(new URL(page).origin))}]

${http2 ? '[http2]\nwebsockets = true' : ''}

[[issuer]]
name = "issuer"
issuer = "https://issuer.test"
audience = "sites"
jwks_file = "issuer.pem.jwks.json"

[forward_auth]
name = "app"
url = "http://127.0.0.1:${application.address().port}/"
cookies = ["${cookie.name}"]

[outbound]
allow = ["127.0.0.1/32"]

[[route]]
path = "/live"

[[route]]
path = "/echo"
kind = "echo"
anonymous = true
`;
  const server = await ownServer(configuration, {}, folder);
  pages.setSecureContext({ cert: readFileSync(server.ca), key: readFileSync(join(folder, 'key.pem')) });
  const { outputFiles } = await build({
    stdin: { contents: "export * from '@wardwire/client';", resolveDir: import.meta.dirname },
    bundle: true,
    format: 'iife',
    globalName: 'wardwire',
    write: false,
  });
  const stop = async () => {
    for (const one of [pages, application]) {
      one.close();
      one.closeAllConnections();
    }
    await server.stop();
  };
  return { sites, port: server.port, ca: server.ca, client: outputFiles[0].text, stop };
}

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
