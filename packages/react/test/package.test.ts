import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

test('the hooks stay within their budget, minified and gzipped, and import React and the client alone', async (context) => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    packages: 'external',
    write: false,
    metafile: true,
  });
  const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
  context.diagnostic(`${bytes} bytes`);
  assert.ok(bytes < 2000, `${bytes} bytes`);
  const imported = new Set(Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)));
  assert.deepEqual([...imported].sort(), ['@wardwire/client', 'react']);
});

test('a framework that renders on the server knows that the hooks are for the page', async () => {
  assert.match(await readFile('dist/index.js', 'utf8'), /^'use client';/);
});
