import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

/** What an application's bundler makes of this import out of the published files, without what it does not name. */
async function bundled(code: string): Promise<Uint8Array> {
  const resolveDir = new URL('.', import.meta.url).pathname;
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]!.contents;
}

test('the core stays within its budget, minified and gzipped', async (context) => {
  const core = await bundled("export { connect, session, bearer } from '@wardwire/client';");
  const bytes = gzipSync(core, { level: 9 }).length;
  context.diagnostic(`${bytes} bytes`);
  assert.ok(bytes < 8_000, `${bytes} bytes`);
});

test('importing has no effect of its own, so that a bundler can leave out what is not used', async () => {
  assert.equal((await bundled("import '@wardwire/client';")).length, 0);
});
