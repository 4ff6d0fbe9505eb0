// The error codes of a package: the members of its exported `*ErrorCode` union.
import ts from 'typescript';
import { root } from './packages.mjs';
import { commentAbove, program } from './program.mjs';

export function errorCodes(name) {
  const file = program().getSourceFile(`${root}packages/${name}/src/errors.ts`);
  const codes = [];
  file?.forEachChild((statement) => {
    if (!ts.isTypeAliasDeclaration(statement) || !statement.name.text.endsWith('ErrorCode')) return;
    const members = ts.isUnionTypeNode(statement.type) ? statement.type.types : [statement.type];
    for (const member of members) if (ts.isLiteralTypeNode(member)) codes.push(member.literal.text);
  });
  return codes;
}

/** The facts that an error of this package carries beside `code` and `cause`: name, type, text. */
export function errorFacts(name) {
  const file = program().getSourceFile(`${root}packages/${name}/src/errors.ts`);
  const facts = [];
  file?.forEachChild((statement) => {
    if (!ts.isInterfaceDeclaration(statement) || !statement.name.text.endsWith('ErrorFacts')) return;
    for (const member of statement.members) {
      const fact = member.name?.getText();
      if (ts.isPropertySignature(member) && fact !== 'cause') facts.push({ name: fact, text: commentAbove(member) });
    }
  });
  return facts;
}
