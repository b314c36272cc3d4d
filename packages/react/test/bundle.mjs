// Each test once with the newest React, and once with React 18, which stands in a folder of its own.

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
for (const [react, from] of [['react-19', here], ['react-18', `${here}react-18/`]]) {
  const require = createRequire(`${from}package.json`);
  const of = (name) => dirname(require.resolve(`${name}/package.json`));
  await build({
    entryPoints: readdirSync(here).filter((name) => name.endsWith('.test.ts')).map((name) => here + name),
    outdir: `${here}../.build`,
    outExtension: { '.js': `.${react}.test.mjs` },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    // CommonJS of React within a module of Node.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    external: ['esbuild', 'jsdom', 'ws'],
    alias: { '@wardwire/client': `${here}../../client/src/index.ts`, react: of('react'), 'react-dom': of('react-dom') },
  });
}
