import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { build } from 'esbuild';

test('the package imports nothing, of Node neither, so that it runs wherever there is fetch and WebCrypto', async () => {
  const { metafile } = await build({ entryPoints: ['src/index.ts'], bundle: true, platform: 'neutral', format: 'esm', write: false, metafile: true });
  assert.deepEqual(Object.values(metafile.outputs).flatMap(({ imports }) => imports), []);
  assert.ok(Object.keys(metafile.inputs).every((path) => path.startsWith('src/')));
});

test('channels are typed as the client types them', async () => {
  assert.equal(await readFile('src/names.ts', 'utf8'), await readFile('../client/src/names.ts', 'utf8'));
});
