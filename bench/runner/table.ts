/** What a benchmark script exports, and what a run of it yields. One script a table under `bench/tables/<package>/`. */

/** A figure measured in several rounds. `unit` names it: `ops/s`, `ms`, `µs`, `bytes`, `count`. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** A number (counted once), a spread (measured in rounds), or words (a peer that cannot do the work says so). */
export type Cell = Spread | number | string;

export interface Row {
  /** Who: `holdfast`, `proper-lockfile 4.1.2`, `raw fdatasync`. */
  readonly who: string;
  readonly kind: 'ours' | 'peer' | 'floor';
  /** The size of the case where a table has several: 1_000 keys, 16 writers. Rows of equal `size` are compared. */
  readonly size?: string | undefined;
  /** By column name. */
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Column {
  readonly name: string;
  readonly unit: string;
  /** Which way is better; `none` for facts that are not compared. */
  readonly better: 'higher' | 'lower' | 'none';
}

export interface Table {
  /** `<package>/<table>`, as the file lies. */
  readonly name: string;
  readonly title: string;
  /** What question the table answers, and how it was measured, in a sentence or three. */
  readonly about: string;
  readonly columns: readonly Column[];
  run(context: BenchContext): Promise<TableOutcome>;
}

export interface TableOutcome {
  readonly rows: readonly Row[];
  /** Written below the table: why we are behind a peer, what a peer does not guarantee, what cannot be compared. */
  readonly notes?: readonly string[] | undefined;
  /** How cost grows, by `growth()` in statistics.ts, where the sizes of the rows don't show it: see `fittedGrowth()`. */
  readonly growth?: readonly string[] | undefined;
  /** What the issues set as a target: printed with the result, never an exit code (machines are noisy). */
  readonly targets?: readonly Target[] | undefined;
}

export interface Target {
  readonly claim: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface BenchContext {
  /** True with `--quick`: the sizes and rounds that let the whole of `npm run bench -- --quick` end in five minutes. */
  readonly quick: boolean;
  /** An empty directory on the disk of the repository, removed afterwards. */
  readonly dir: string;
  log(line: string): void;
}
