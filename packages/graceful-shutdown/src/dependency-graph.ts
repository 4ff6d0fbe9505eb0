import { LifecycleError } from './errors.js';

/** A component as the graph sees it. */
export interface GraphNode {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/**
 * The names in an order in which every component comes after all it depends on; among equals, the order of `nodes`.
 *
 * @throws LifecycleError `LIFECYCLE_UNKNOWN_COMPONENT` for a dependency that nobody added, `LIFECYCLE_CYCLE` naming the
 *   components of the cycle.
 */
export function startOrder(nodes: readonly GraphNode[]): string[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const order: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];

  const visit = (node: GraphNode): void => {
    if (done.has(node.name)) return;
    const seen = path.indexOf(node.name);
    if (seen !== -1) throw cycleError([...path.slice(seen), node.name]);
    path.push(node.name);
    for (const name of node.dependsOn) {
      const dependency = byName.get(name);
      if (!dependency) throw unknownError(node.name, name, [...byName.keys()]);
      visit(dependency);
    }
    path.pop();
    done.add(node.name);
    order.push(node.name);
  };

  for (const node of nodes) visit(node);
  return order;
}

/** For each name, the names of those that depend on it directly: what must have stopped before it may stop. */
export function dependentsOf(nodes: readonly GraphNode[]): Map<string, string[]> {
  const dependents = new Map<string, string[]>(nodes.map((node) => [node.name, []]));
  for (const node of nodes) for (const name of node.dependsOn) dependents.get(name)?.push(node.name);
  return dependents;
}

/** Every name that `name` needs, directly or through others. */
export function needsOf(nodes: readonly GraphNode[], name: string): Set<string> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const found = new Set<string>();
  const todo = [...(byName.get(name)?.dependsOn ?? [])];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    todo.push(...(byName.get(next)?.dependsOn ?? []));
  }
  return found;
}

function cycleError(cycle: readonly string[]): LifecycleError {
  return new LifecycleError('LIFECYCLE_CYCLE', `components depend on each other in a circle: ${cycle.join(' -> ')}`, {
    component: cycle[0],
    cycle,
  });
}

function unknownError(component: string, missing: string, known: readonly string[]): LifecycleError {
  return new LifecycleError(
    'LIFECYCLE_UNKNOWN_COMPONENT',
    `component '${component}' depends on '${missing}', which was never added (added: ${known.join(', ')})`,
    { component },
  );
}
