// What an entry point exports, one line each, so that a change of the public surface is a change of a reviewed text file.
import ts from 'typescript';
import { entryPoints } from './packages.mjs';
import { program, sourceFile } from './program.mjs';

const FLAGS = ts.TypeFormatFlags.NoTruncation | (ts.TypeFormatFlags.UseFullyQualifiedType * 0);

/** The text of docs/api/<name>.txt. */
export function apiList(name) {
  const sections = entryPoints(name).map(({ specifier, entry }) => {
    const lines = exportsOf(sourceFile('packages', name, 'src', `${entry}.ts`));
    return `${specifier}\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
  });
  return sections.join('\n');
}

function exportsOf(file) {
  const checker = program().getTypeChecker();
  const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(file));
  return symbols
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((symbol) =>
      describe(checker, symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name),
    );
}

function describe(checker, symbol, name) {
  const { flags } = symbol;
  if (flags & ts.SymbolFlags.Class)
    return [`class ${name}`, ...members(checker, checker.getDeclaredTypeOfSymbol(symbol), name)];
  if (flags & ts.SymbolFlags.Interface)
    return [`interface ${name}`, ...members(checker, checker.getDeclaredTypeOfSymbol(symbol), name)];
  if (flags & ts.SymbolFlags.TypeAlias) {
    const declaration = symbol.declarations.find(ts.isTypeAliasDeclaration);
    return [`type ${name} = ${oneLine(declaration.type.getText())}`];
  }
  const type = checker.getTypeOfSymbol(symbol);
  const signatures = type.getCallSignatures();
  if (signatures.length > 0)
    return signatures.map(
      (signature) => `function ${name}${oneLine(checker.signatureToString(signature, undefined, FLAGS))}`,
    );
  return [`const ${name}: ${oneLine(checker.typeToString(type, undefined, FLAGS))}`];
}

function members(checker, type, owner) {
  return type
    .getProperties()
    .filter((property) => !property.name.startsWith('__') || property.name.startsWith('__@asyncDispose'))
    .filter((property) => property.declarations?.some((at) => at.getSourceFile().fileName.includes('/packages/')))
    .map((property) => {
      const optional = property.flags & ts.SymbolFlags.Optional ? '?' : '';
      const name = property.name.startsWith('__@asyncDispose') ? '[Symbol.asyncDispose]' : property.name;
      return `  ${owner}.${name}${optional}: ${oneLine(checker.typeToString(checker.getTypeOfSymbol(property), undefined, FLAGS))}`;
    });
}

function oneLine(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/[^\n]*/g, '')
    .replace(/import\("[^"]*"\)\./g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
