// The examples in the documentation, as they stand: what is below one heading is one program, and a block of text behind it is
// what it prints. The configurations of a page are its server's. Those of web pages never end, and are ended when they have shown that.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { transform } from 'esbuild';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

import { ownServer } from './own-server.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const token = 'fedcba9876543210fedcba9876543210';

/** What no page repeats. */
const rest = `hosts = ["live.example.com", "localhost"]
origins = ["https://app.example.com"]
`;
/** Where a page shows no route. What it has for web pages sends no Origin here, as programs do. */
const route = `[[route]]
path = "/live"
native_clients = true
`;
const issuer = `[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"
jwks_file = "id.jwks.json"
`;

const chat = `[[channel]]
name = "chat/{room}"
subscribe = "authenticated"
publish = "authenticated"
presence = true
`;
const ofClient = `[[route]]
path = "/echo"
kind = "echo"
native_clients = true
[backend]
token_files = ["backend.token"]
[[channel]]
name = "prices/{currency}"
subscribe = "authenticated"
publish = "server"
last_value = true
${chat}`;
/** What there is to be read. */
const price = `import { Backend } from '@wardwire/server';
await new Backend('https://live.example.com', { token: process.env.WARDWIRE_TOKEN }).publish('prices/eur', { bid: 1.08 });
`;
/** What an application has of its own: its access token, and what `wardwire types` wrote. */
const own = {
  'own.d.ts': 'declare function fetchAccessToken(): Promise<string>;',
  'channels.ts': "export interface Channels { 'chat/{room}': { readonly text: string } }",
};
/** Around what the first page shows stands an application, which knows who is signed in and shows what is said. */
const application = {
  head: `const session = { accessToken: process.env.ACCESS_TOKEN };
let show;
const shown = new Promise((resolve) => (show = (...said) => resolve(said.join(' says '))));
`,
  after: 'console.log(await shown);\nwire.close();\n',
};
/** What a React application ends with. */
const render = `import { createRoot } from 'react-dom/client';
createRoot(document.body.appendChild(document.createElement('main'))).render(<App />);
`;

/** The blocks of a page, by the headings that they are below. */
function sections(page) {
  const all = [];
  for (const [, heading, indent, language, text] of page.matchAll(/^#+ (.+)$|^( *)```(\w+)\n([^]*?)^\2```$/gm)) {
    if (heading !== undefined) all.push({ heading, blocks: [] });
    else all.at(-1).blocks.push({ language, text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), '') });
  }
  return all;
}

const of = ({ blocks }, ...languages) => blocks.filter(({ language }) => languages.includes(language)).map(({ text }) => text);

/** A folder below the workspace, where the packages are found. */
function scratch(t) {
  mkdirSync(join(root, 'target/examples'), { recursive: true });
  const folder = mkdtempSync(join(root, 'target/examples/'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The issuer's key set, and what alice is given by it. */
async function signIn() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const access = new SignJWT({ client_id: 'app' }).setProtectedHeader({ alg: 'ES256', kid: 'id', typ: 'at+jwt' });
  access.setIssuer('https://id.example.com').setAudience('wardwire').setSubject('alice').setJti('1').setIssuedAt().setExpirationTime('10m');
  return { keys: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'id' }] }), access: await access.sign(privateKey) };
}

/**
 * Runs a program until it ends, or, in a page, has shown what is expected, and gives what it printed. Another runtime than Node is told
 * in the address where the server is.
 */
async function run({ program, prints }, { folder, env, inPage, other }) {
  const file = join(folder, 'example.mjs');
  const { code } = await transform(program, { loader: 'tsx', format: 'esm', jsx: 'automatic' });
  writeFileSync(file, other ? code.replaceAll('live.example.com', `localhost:${env.WARDWIRE_PORT}`) : code);
  const preloads = (inPage ? ['live', 'page'] : ['live']).flatMap((name) => ['--import', new URL(`${name}.mjs`, import.meta.url).href]);
  const [command, args] = other ? [other.program, other.args] : [process.execPath, preloads];
  const child = spawn(command, [...args, file], { cwd: folder, env: { HOME: folder, WARDWIRE_TOKEN: token, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const shown = () => inPage && prints !== '' && `\n${said.stdout}`.endsWith(`\n${prints}`);
  child.stdout.on('data', () => shown() && child.kill());
  const [status] = await once(child, 'close');
  if (shown()) return prints;
  assert.equal(status, 0, `${said.stdout}${said.stderr}\n${code}`);
  return said.stdout;
}

for (const { page, programs, other, inPage = false, before = '', head = '', after = '', prints, server } of [
  { page: 'README.md', programs: 1, ...application, prints: 'alice says Hello\n', server: chat },
  { page: 'docs/backend.md', programs: 1 },
  { page: 'packages/server/README.md', programs: 5 },
  { page: 'docs/examples.md', programs: 9 },
  { page: 'docs/examples.md', programs: 9, other: { name: 'Deno', program: process.env.DENO, args: ['run', '--allow-all', '--no-lock'] } },
  { page: 'docs/examples.md', programs: 9, other: { name: 'Bun', program: process.env.BUN, args: [] } },
  { page: 'packages/client/README.md', programs: 4, inPage: true, before: price, server: ofClient },
  { page: 'packages/react/README.md', programs: 1, inPage: true, after: render, server: chat },
]) {
  test(other ? `${page} in ${other.name}` : page, { skip: other && !other.program && 'no program is named' }, async (t) => {
    const folder = scratch(t);
    const all = sections(readFileSync(join(root, page), 'utf8'));
    const tables = server ?? all.flatMap((section) => of(section, 'toml')).join('\n');
    const made = all.map((section) => ({ heading: section.heading, program: of(section, 'js', 'ts', 'tsx').join('\n'), prints: prints ?? of(section, 'text').join('') }));
    const each = made.filter(({ program }) => program !== '');
    assert.equal(each.length, programs);
    const is = async (one, env) => t.test(one.heading, async () => assert.equal(await run({ ...one, program: head + one.program + after }, { folder, env, inPage, other }), one.prints));

    // What a program makes for the server, such as a key, is there when that starts.
    const online = ({ program }) => /live\.example\.com|@wardwire\/client/.test(program);
    for (const one of each) if (!online(one)) await is(one, {});
    const known = (tables.includes('"/live"') ? '' : route) + (tables.includes('id.example.com') ? '' : issuer);
    const { keys, access } = await signIn();
    const started = await ownServer(rest + known + tables, { 'backend.token': token, 'id.jwks.json': keys }, folder);
    t.after(started.stop);
    const env = { WARDWIRE_PORT: String(started.port), WARDWIRE_CA: started.ca, NODE_EXTRA_CA_CERTS: started.ca, DENO_CERT: started.ca, ACCESS_TOKEN: access };
    if (before !== '') await run({ program: before, prints: '' }, { folder, env, inPage: false });
    for (const one of each) if (online(one)) await is(one, env);
  });
}

test('what is shown in TypeScript compiles', (t) => {
  const folder = scratch(t);
  const pages = ['packages/client/README.md', 'packages/react/README.md'].flatMap((page) => sections(readFileSync(join(root, page), 'utf8')));
  const programs = pages.map((section) => of(section, 'ts', 'tsx').join('\n')).filter((program) => program !== '');
  const files = { ...own, ...Object.fromEntries(programs.map((program, number) => [`${number}.tsx`, program])) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const compilerOptions = { noEmit: true, lib: ['ES2022', 'DOM'], types: ['node'], jsx: 'react-jsx' };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.base.json', compilerOptions }));
  const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
