// Builds the demo into dist/, as the server embeds it: the page at its root, the compiled client under client/, and what
// the second, hostile origin serves under hostile/.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const client = join(here, '../client/dist');
const manifest = createRequire(import.meta.url).resolve('typescript/package.json');

/** Compiles a project and what it refers to. */
function compile(project) {
  const done = spawnSync(process.execPath, [join(dirname(manifest), 'bin/tsc'), '-b', join(here, project)], { stdio: 'inherit' });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

for (const made of [dist, join(here, '.build')]) rmSync(made, { recursive: true, force: true });
compile('try');
compile('hostile');

for (const file of ['index.html', 'style.css', 'chat.css', 'attacks.css', 'icon.svg']) cpSync(join(here, 'try', file), join(dist, file));
for (const file of ['index.html', 'style.css']) cpSync(join(here, 'hostile', file), join(dist, 'hostile', file));
mkdirSync(join(dist, 'client'));
for (const file of readdirSync(client)) if (file.endsWith('.js')) cpSync(join(client, file), join(dist, 'client', file));
