// One TypeScript program over the sources of all packages, read once.
import { join } from 'node:path';
import ts from 'typescript';
import { entryPoints, PACKAGES, root } from './packages.mjs';

let made;

export function program() {
  if (made) return made;
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const files = PACKAGES.flatMap((name) => entryPoints(name).map(({ source }) => source));
  made = ts.createProgram(files, { ...options, noEmit: true });
  // Binds the files: without it nodes do not know their parents, and so not their texts.
  made.getTypeChecker();
  return made;
}

export function sourceFile(...path) {
  const file = program().getSourceFile(join(root, ...path));
  if (!file) throw new Error(`${path.join('/')} is no part of a published entry point`);
  return file;
}

/** The text of the comment right above a node, without its marks; '' where there is none. */
export function commentAbove(node) {
  const text = node.getSourceFile().text;
  const ranges = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  return ranges
    .filter(({ kind }) => kind === ts.SyntaxKind.MultiLineCommentTrivia)
    .slice(-1)
    .map(({ pos, end }) => plain(text.slice(pos, end)))
    .join(' ');
}

/** A TSDoc comment as one paragraph; what stands behind the first block tag is left out. */
function plain(comment) {
  return comment
    .replace(/^\/\*+|\*+\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\*\s?/, '').trim())
    .join(' ')
    .replace(/\s*@(defaultValue|example|see|throws|returns|param)\b[\s\S]*$/, '')
    .replace(/\{@link\s+([^}|]+?)\s*\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
}
