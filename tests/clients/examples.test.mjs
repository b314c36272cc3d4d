// The examples in the documentation, as they stand: what is below one heading is one program, and a block of text behind it is
// what it prints. The configurations of a page are its server's.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { transform } from 'esbuild';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

import { ownServer } from './own-server.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const preload = new URL('live.mjs', import.meta.url).href;
const host = 'live.example.com';
const token = 'fedcba9876543210fedcba9876543210';

/** What no page repeats. */
const rest = `hosts = ["live.example.com"]
origins = ["https://app.example.com"]
[[route]]
path = "/live"
native_clients = true
`;
const issuer = `[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"
jwks_file = "id.jwks.json"
`;

/** The blocks of a page, by the headings that they are below. */
function sections(page) {
  const all = [];
  for (const [, heading, language, text] of page.matchAll(/^#+ (.+)$|^```(\w+)\n([^]*?)^```$/gm)) {
    if (heading !== undefined) all.push({ heading, blocks: [] });
    else all.at(-1).blocks.push({ language, text });
  }
  return all;
}

const of = ({ blocks }, ...languages) => blocks.filter(({ language }) => languages.includes(language)).map(({ text }) => text);

/** The issuer's key set, and what alice is given by it. */
async function signIn() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const access = new SignJWT({ client_id: 'app' }).setProtectedHeader({ alg: 'ES256', kid: 'id', typ: 'at+jwt' });
  access.setIssuer('https://id.example.com').setAudience('wardwire').setSubject('alice').setJti('1').setIssuedAt().setExpirationTime('10m');
  return { keys: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'id' }] }), access: await access.sign(privateKey) };
}

/** Runs a program to its end, and gives what it printed. */
async function run(program, folder, env) {
  const file = join(folder, 'example.mjs');
  const { code } = await transform(program, { loader: 'ts', format: 'esm' });
  writeFileSync(file, code);
  const child = spawn(process.execPath, ['--import', preload, file], { cwd: folder, env: { WARDWIRE_TOKEN: token, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const [status] = await once(child, 'close');
  assert.equal(status, 0, `${said.stdout}${said.stderr}\n${code}`);
  return said.stdout;
}

for (const [page, programs] of [
  ['docs/backend.md', 1],
  ['packages/server/README.md', 5],
  ['docs/examples.md', 8],
]) {
  test(page, async (t) => {
    // Below the workspace, where the packages are found.
    mkdirSync(join(root, 'target/examples'), { recursive: true });
    const folder = mkdtempSync(join(root, 'target/examples/'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const all = sections(readFileSync(join(root, page), 'utf8'));
    const tables = all.flatMap((section) => of(section, 'toml')).join('\n');
    const made = all.map((section) => ({ heading: section.heading, program: of(section, 'js', 'ts').join('\n'), prints: of(section, 'text').join('') }));
    const each = made.filter(({ program }) => program !== '');
    assert.equal(each.length, programs);
    const is = async ({ heading, program, prints }, env) => t.test(heading, async () => assert.equal(await run(program, folder, env), prints));

    // What a program makes for the server, such as a key, is there when that starts.
    const online = ({ program }) => program.includes(host);
    for (const one of each) if (!online(one)) await is(one, {});
    const known = tables.includes('id.example.com') ? '' : issuer;
    const { keys, access } = await signIn();
    const server = await ownServer(rest + known + tables, { 'backend.token': token, 'id.jwks.json': keys }, folder);
    t.after(server.stop);
    const env = { WARDWIRE_PORT: String(server.port), WARDWIRE_CA: server.ca, ACCESS_TOKEN: access };
    for (const one of each) if (online(one)) await is(one, env);
  });
}
