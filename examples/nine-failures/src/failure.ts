/** What one run of an experiment found. Everything but `acknowledged` and `notes` should be zero or empty. */
export interface Facts {
  /** What the program said it had done: entries, alerts, updates, requests taken. */
  acknowledged: number;
  lost: number;
  doubled: number;
  /** Requests or updates that never ended, or a process that could not go on. */
  hung: number;
  /** Entries or files that contradict each other, or can't be read. */
  corrupted: number;
  /** Memory that grows with every alert, bytes. */
  leakedBytes: number;
  /** Whatever else is wrong, in words: an exit code that lies, an answer that its receiver misunderstands. */
  wrong: string[];
}

export const NOTHING: Facts = {
  acknowledged: 0,
  lost: 0,
  doubled: 0,
  hung: 0,
  corrupted: 0,
  leakedBytes: 0,
  wrong: [],
};

export interface Failure {
  readonly number: number;
  readonly title: string;
  /** The programs that people write, each with where it comes from. Every one of them has to fail. */
  readonly before: readonly { program: string; from: string }[];
  /** `patienceMs`: for how long it may make no progress and still be at work. */
  readonly after: { program: string; from: string; patienceMs?: number };
  /** The same experiment for every program, told by its path. `short` is for the tests: fewer rounds, the same facts. */
  run(program: URL, options: { short: boolean; patienceMs?: number | undefined }): Promise<Facts>;
}

/** A program holds when it acknowledged something or refused in so many words, and nothing was lost, doubled, hung, corrupted or leaked. */
export function holds(facts: Facts): boolean {
  const { lost, doubled, hung, corrupted, leakedBytes, wrong } = facts;
  return lost + doubled + hung + corrupted + leakedBytes === 0 && wrong.length === 0;
}
