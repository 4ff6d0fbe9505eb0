// What a text says a default is, and whether that is what the code says.

/** The value that a cell or a tag states, or undefined when it states none that can be compared (such as "the system's"). */
export function stated(text) {
  const bare = text.replaceAll('`', '').trim();
  if (/^[\d,_.]+$/.test(bare)) return Number(bare.replace(/[,_]/g, ''));
  const size = bare.match(/^([\d.]+)\s*(MiB|KiB|MB|s|min|h|d)$/);
  if (size)
    return (
      Number(size[1]) *
      { MiB: 2 ** 20, KiB: 2 ** 10, MB: 1e6, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }[size[2]]
    );
  if (/^[\d_]+(\s*\*\s*[\d_]+)+$/.test(bare))
    return bare.split('*').reduce((product, part) => product * Number(part.replaceAll('_', '')), 1);
  const quoted = bare.match(/^'([^']*)'$/);
  if (quoted) return quoted[1];
  if (bare === 'true' || bare === 'false') return bare === 'true';
  return undefined;
}

/** The value at `a.b` of an object, or undefined. */
export function at(object, path) {
  return path
    .split('.')
    .reduce((value, key) => (typeof value === 'object' && value !== null ? value[key] : undefined), object);
}

/** An option's default by its name: at the top, in `step`, or wherever only one of the groups has it. */
export function defaultOf(defaults, name) {
  for (const group of defaults) {
    const direct = at(group, name) ?? at(group, `step.${name}`);
    if (direct !== undefined && typeof direct !== 'object') return direct;
  }
  return undefined;
}

/**
 * The rows of options tables that state a default which is not the code's. `known(name)` gives the code's, or undefined when it has none.
 * A row may name several options, with as many defaults, separated by `, `.
 */
export function defaultFaults(rows, known) {
  const faults = [];
  for (const { options, cell } of rows) {
    const parts = options.length > 1 ? cell.split(/,\s+/) : [cell];
    for (const [n, option] of options.entries()) {
      const said = parts[n] === undefined ? undefined : stated(parts[n]);
      if (said === undefined) continue;
      const real = known(option);
      if (real === undefined) faults.push(`${option}: the page says ${parts[n]}, the code has no such default`);
      else if (real !== said) faults.push(`${option}: the page says ${parts[n]}, the code ${real}`);
    }
  }
  return faults;
}
