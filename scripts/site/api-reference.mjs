// docs/reference/api/: one page an entry point, by TypeDoc, named as people import it.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, Converter, ReflectionKind } from 'typedoc';
import { load as markdown } from 'typedoc-plugin-markdown';
import { entryPoints, PACKAGES, root } from '../facts/packages.mjs';

const out = join(root, 'docs/reference/api');

export async function writeReference() {
  const entries = PACKAGES.flatMap((name) => entryPoints(name));
  rmSync(out, { recursive: true, force: true });
  const app = await Application.bootstrapWithPlugins({
    plugin: [markdown],
    entryPoints: entries.map(({ source }) => source),
    tsconfig: join(root, 'docs/tsconfig.json'),
    basePath: root,
    out,
    router: 'module',
    excludePrivate: true,
    excludeExternals: true,
    disableSources: true,
    disableGit: true,
    githubPages: false,
    readme: 'none',
    skipErrorChecking: true,
    validation: { notExported: false, invalidLink: false },
    logLevel: 'Error',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    useHTMLAnchors: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'list',
    propertyMembersFormat: 'list',
    sort: ['source-order'],
    groupOrder: ['Functions', 'Variables', 'Classes', 'Interfaces', 'Type Aliases', '*'],
    entryFileName: 'index',
    pageTitleTemplates: { module: '{name}', index: 'API' },
    sanitizeComments: true,
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const entry = entries.find(({ source }) => moduleName(source) === module.name);
      if (entry) module.name = entry.specifier.replace('@holdfast/', '');
    }
  });
  const project = await app.convert();
  if (!project) throw new Error('TypeDoc could not read the sources');
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error('TypeDoc reported errors');
  writeFileSync(join(out, 'index.md'), index(entries));
  return `${entries.length} entry points`;
}

/** How TypeDoc names the module of a file: its path from the root, without extension and without `/index`. */
function moduleName(source) {
  return source
    .slice(root.length)
    .replace(/\.ts$/, '')
    .replace(/\/index$/, '');
}

function index(entries) {
  const groups = PACKAGES.map((name) => {
    const own = entries.filter(({ specifier }) => specifier.split('/')[1] === name);
    return `## @holdfast/${name}\n\n${own.map(({ specifier }) => `- [\`${specifier}\`](./${specifier.replace('@holdfast/', '')}.md)`).join('\n')}`;
  });
  return `# API\n\nA page for each entry point, made from the sources. What each exports, in one line each, is kept in a reviewed list (docs/api in the repository).\n\n${groups.join('\n\n')}\n`;
}
