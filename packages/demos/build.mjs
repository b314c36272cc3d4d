// Builds the demos into dist/, as the server embeds it: their pages, what these load, the compiled client under client/, and
// what the second, hostile origin serves under hostile/.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const client = join(here, '../client/dist');
const { resolve } = createRequire(import.meta.url);

const pages = ['index', 'chat', 'market', 'arena'].filter((page) => existsSync(join(here, page, `${page}.ts`)));

/** Checks a project's types, and compiles one that is to be compiled. */
function tsc(...what) {
  const done = spawnSync(process.execPath, [join(dirname(resolve('typescript/package.json')), 'bin/tsc'), ...what], { cwd: here, stdio: 'inherit' });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

for (const made of [dist, join(here, '.build')]) rmSync(made, { recursive: true, force: true });
tsc('-p', '.');
tsc('-b', 'hostile');

await build({
  entryPoints: pages.map((page) => join(here, page, `${page}.ts`)),
  entryNames: '[name]',
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  logLevel: 'warning',
});

const copied = /\.(html|css|svg)$/;
for (const folder of [...pages, 'shared']) {
  for (const file of readdirSync(join(here, folder))) if (copied.test(file)) cpSync(join(here, folder, file), join(dist, file));
}
for (const file of ['index.html', 'style.css']) cpSync(join(here, 'hostile', file), join(dist, 'hostile', file));
if (pages.includes('market')) cpSync(resolve('uplot/dist/uPlot.min.css'), join(dist, 'uplot.css'));
mkdirSync(join(dist, 'client'));
for (const file of readdirSync(client)) if (file.endsWith('.js')) cpSync(join(client, file), join(dist, 'client', file));
