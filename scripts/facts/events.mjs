// The events of a package: the members of its exported event union, with the fields that each carries.
import ts from 'typescript';
import { root } from './packages.mjs';
import { commentAbove, program } from './program.mjs';

const UNION = {
  idempotency: 'IdempotencyEvent',
  'graceful-shutdown': 'LifecycleEvent',
  'persistent-kb': 'KbEvent',
  'alert-delivery': 'DeliveryEvent',
  'file-lock': 'FileLockEvent',
};

/** `[{ type: 'lock.lost', fields: ['path'], text }]`, in the order of the source. */
export function events(name) {
  const checker = program().getTypeChecker();
  const file = program().getSourceFile(`${root}packages/${name}/src/events.ts`);
  const found = [];
  for (const statement of file.statements) {
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === UNION[name]) read(statement.type);
  }
  return found;

  function read(node) {
    if (ts.isUnionTypeNode(node)) {
      for (const member of node.types) read(member);
      return;
    }
    const type = checker.getTypeFromTypeNode(node);
    if (ts.isTypeReferenceNode(node) && type.isUnion()) {
      for (const declaration of type.aliasSymbol?.declarations ?? []) read(declaration.type);
      return;
    }
    const of = (property) => checker.typeToString(checker.getTypeOfSymbol(property));
    const properties = type.getProperties();
    const name_ = properties.find((property) => property.name === 'type');
    if (!name_) throw new Error(`${node.getText()} has no type`);
    for (const literal of of(name_).split(' | ')) {
      found.push({
        type: literal.replaceAll('"', ''),
        fields: properties.filter((property) => property !== name_).map((property) => property.name),
        text: commentAbove(node),
      });
    }
  }
}
