import type { Spread } from './table.ts';

/** The median, least and greatest of the rounds. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spread needs at least one value');
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0]!, max: sorted.at(-1)!, rounds: sorted.length };
}

/** The q-quantile (0 to 1) of values sorted upwards, between neighbours by straight line. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}

/**
 * Runs every case once a round, in turn, the order turned by one each round, so that the noise of the machine falls on
 * all alike. A round's figure is what the case returns; the first `warmUp` rounds are thrown away.
 */
export async function interleave<Name extends string>(
  cases: Readonly<Record<Name, (round: number) => number | Promise<number>>>,
  options: { rounds: number; warmUp?: number; onRound?: (round: number) => void },
): Promise<Record<Name, Spread>> {
  const names = Object.keys(cases) as Name[];
  const warmUp = options.warmUp ?? 1;
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < options.rounds + warmUp; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round) % names.length]!;
      const figure = await cases[name](round);
      if (round >= warmUp) figures[name].push(figure);
    }
    options.onRound?.(round);
  }
  return Object.fromEntries(names.map((name) => [name, spread(figures[name])])) as Record<Name, Spread>;
}

/** In words, how `y` grows with `x`. Needs two sizes or more. */
export function growth(what: string, points: readonly { x: number; y: number }[]): string {
  const slope = exponent(points);
  const from = points[0]!.x.toLocaleString('en');
  const to = points.at(-1)!.x.toLocaleString('en');
  return `${what}: from ${from} to ${to} it ${grows(slope)} (exponent ${slope.toFixed(2)}).`;
}

/** The slope of the straight line through the logarithms: 0 is flat, 1 is in proportion. */
export function exponent(points: readonly { x: number; y: number }[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(Math.max(y, Number.MIN_VALUE)) }));
  const meanX = logs.reduce((sum, { x }) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, { y }) => sum + y, 0) / logs.length;
  const across = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return across / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

export function grows(slope: number): string {
  if (slope < -0.15) return 'falls';
  if (slope <= 0.15) return 'stays flat';
  if (slope < 0.85) return 'grows slower than the size';
  if (slope <= 1.15) return 'grows with the size';
  return 'grows faster than the size';
}
