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
  return linked(await readFile(join(folder, `${name}.md`), 'utf8'));
}

/** The same with each link to the heading of its text, as GitHub numbers those that are alike. The plugin counts some that the page has not. */
function linked(text) {
  const [anchors, alike] = [new Map(), new Map()];
  let owner = '';
  for (const [, level, title] of text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/^(#+) (.+)$/gm)) {
    const name = title.replaceAll(/\\?<.*|\(\)/g, '');
    const slug = title.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-');
    const before = alike.get(slug) ?? 0;
    alike.set(slug, before + 1);
    if (level.length <= 3) owner = name;
    anchors.set(level.length <= 3 ? name : `${owner}.${name}`, before === 0 ? slug : `${slug}-${before}`);
  }
  return text.replaceAll(/\[(`?)([\w.]+)\1\]\(#([\w-]+)\)/g, (link, mark, name, anchor) => {
    if (text.includes(`<a id="${anchor}"></a>`)) return link;
    if (!anchors.has(name)) throw new Error(`${link} leads nowhere.`);
    return `[${mark}${name}${mark}](#${anchors.get(name)})`;
  });
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
