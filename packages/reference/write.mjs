// Writes docs/api, the reference of each package's interface, from its doc comments; whatever is exported must have one.
// With `--check` nothing is written: it fails where what is there is not what would be.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application } from 'typedoc';

const root = join(import.meta.dirname, '../..');
const check = process.argv.includes('--check');

/** The page of a package. */
async function page(name, folder) {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    name: `@wardwire/${name}`,
    out: folder,
    entryPoints: [join(root, 'packages', name, 'src/index.ts')],
    tsconfig: join(import.meta.dirname, 'tsconfig.json'),
    readme: 'none',
    disableSources: true,
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    sort: ['alphabetical'],
    validation: { invalidLink: true, notExported: false, notDocumented: true },
    requiredToBeDocumented: ['Variable', 'Function', 'Class', 'Interface', 'TypeAlias', 'Method'],
    logLevel: 'Warn',
    outputFileStrategy: 'modules',
    entryFileName: name,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    parametersFormat: 'table',
    classPropertiesFormat: 'table',
    interfacePropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    typeDeclarationFormat: 'table',
    tableColumnSettings: { hideDefaults: true, hideInherited: true, hideModifiers: true, hideOverrides: true, hideSources: true },
  });
  const project = await app.convert();
  if (project === undefined) throw new Error(`@wardwire/${name} does not compile.`);
  app.validate(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error(`@wardwire/${name} is not documented whole.`);
  await app.generateOutputs(project);
  return readFile(join(folder, `${name}.md`), 'utf8');
}

const folder = await mkdtemp(join(tmpdir(), 'wardwire-reference-'));
try {
  for (const name of ['client', 'react', 'server']) {
    const file = join(root, 'docs/api', `${name}.md`);
    const text = await page(name, join(folder, name));
    if (!check) await writeFile(file, text);
    else if ((await readFile(file, 'utf8')) !== text) throw new Error(`${file} is old: npm run build -w packages/reference`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
