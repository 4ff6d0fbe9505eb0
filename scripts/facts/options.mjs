// Every option that has a default, as the sources say: its TSDoc, its `@defaultValue`, and the reason beside it in DEFAULTS.
import ts from 'typescript';
import { root } from './packages.mjs';
import { commentAbove, program } from './program.mjs';

/** The interfaces named *Options (and Step) of a package that its entry points export, with their properties. */
export function optionTables(name) {
  const tables = [];
  for (const file of program().getSourceFiles()) {
    if (!file.fileName.startsWith(`${root}packages/${name}/src/`)) continue;
    for (const statement of file.statements) {
      if (!ts.isInterfaceDeclaration(statement) || !/(Options|^Step)$/.test(statement.name.text)) continue;
      if (!statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
      const rows = statement.members.filter(ts.isPropertySignature).map((member) => ({
        name: member.name.getText(),
        required: member.questionToken === undefined,
        type:
          member.type
            ?.getText()
            .replace(/\s*\|\s*undefined\b/g, '')
            .replace(/\breadonly /g, '')
            .replace(/^\s*\|\s*/, '')
            .replace(/\s+/g, ' ') ?? '',
        text: commentAbove(member),
        defaultValue: tagOf(member, 'defaultValue'),
      }));
      tables.push({
        name: statement.name.text,
        file: file.fileName.slice(root.length),
        about: commentAbove(statement),
        rows,
      });
    }
  }
  return tables;
}

/** `{ 'step.retries': { why: 'Choice: …', text: '2' } }`: each entry of the package's DEFAULTS, with the comment beside it. */
export function defaults(name) {
  const found = {};
  const file = program().getSourceFile(`${root}packages/${name}/src/options.ts`);
  const visit = (object, prefix) => {
    for (const property of object.properties) {
      if (!ts.isPropertyAssignment(property)) continue;
      const path = prefix + property.name.getText();
      const value = unwrapped(property.initializer);
      const group = ts.isObjectLiteralExpression(value);
      found[path] = { why: commentAbove(property), text: group ? membersOf(value) : oneLine(value) };
      if (group) visit(value, `${path}.`);
    }
  };
  file?.forEachChild((statement) => {
    if (!ts.isVariableStatement(statement)) return;
    for (const { name: id, initializer } of statement.declarationList.declarations) {
      if (id.getText() !== 'DEFAULTS' || !initializer) continue;
      const value = unwrapped(initializer);
      if (ts.isObjectLiteralExpression(value)) visit(value, '');
    }
  });
  return found;
}

/** `failures: 5, openMs: 30_000`, without the comments between. */
function membersOf(object) {
  return object.properties
    .filter(ts.isPropertyAssignment)
    .map((property) => `${property.name.getText()}: ${oneLine(property.initializer)}`)
    .join(', ');
}

function oneLine(node) {
  return node.getText().replace(/\s+/g, ' ');
}

function unwrapped(node) {
  return ts.isAsExpression(node) || ts.isSatisfiesExpression(node) ? unwrapped(node.expression) : node;
}

function tagOf(node, tag) {
  const found = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === tag);
  return found ? ts.getTextOfJSDocComment(found.comment)?.trim() : undefined;
}
