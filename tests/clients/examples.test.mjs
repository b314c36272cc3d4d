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

/** Runs a program to its end, and gives what it printed. */
async function run(program, folder, env) {
  const file = join(folder, 'example.mjs');
  const { code } = await transform(program, { loader: 'ts', format: 'esm' });
  writeFileSync(file, code);
  const child = spawn(process.execPath, ['--import', preload, file], { cwd: folder, env: { WARDWIRE_TOKEN: token, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const [status] = await once(child, 'close');
  assert.equal(status, 0, `${said.stderr}\n${code}`);
  return said.stdout;
}

for (const [page, programs] of [
  ['docs/backend.md', 1],
  ['packages/server/README.md', 5],
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
    const server = await ownServer(rest + known + tables, { 'backend.token': token }, folder);
    t.after(server.stop);
    for (const one of each) if (online(one)) await is(one, { WARDWIRE_PORT: String(server.port), WARDWIRE_CA: server.ca });
  });
}
