/** A record of the simulation. One whose id begins with `#` replaces the one before it and only ever grows. */
export interface SimulatedRecord {
  id: string;
  text: string;
}

const isCounter = ({ id }: { id: string }): boolean => id.startsWith('#');

/** What was asked of the journal, what it answered, and what it has: finds every contradiction. */
export class Ledger {
  readonly violations: string[] = [];
  operations = 0;
  readonly #issued = new Map<string, string>();
  readonly #batches: string[][] = [];
  /** Acknowledged, or shown by an open journal: must be there for ever. */
  readonly #kept = new Map<string, 'acknowledged' | 'shown'>();
  /** The highest value of each counter that was acknowledged or shown. */
  readonly #counters = new Map<string, string>();
  /** Answered with "nothing of it is stored". */
  readonly #refused = new Set<string>();

  get acknowledged(): number {
    return [...this.#kept.values()].filter((why) => why === 'acknowledged').length;
  }

  issue(records: readonly SimulatedRecord[]): void {
    this.operations++;
    const single = records.filter((record) => !isCounter(record));
    for (const { id, text } of single) this.#issued.set(id, text);
    this.#batches.push(single.map(({ id }) => id));
  }

  acknowledge(records: readonly SimulatedRecord[], state: ReadonlyMap<string, string>): void {
    for (const record of records) {
      const { id } = record;
      if (isCounter(record)) this.#counters.set(id, record.text);
      else this.#kept.set(id, 'acknowledged');
      if (!state.has(id)) this.violations.push(`${id} was acknowledged before it was applied`);
    }
  }

  refuse(records: readonly SimulatedRecord[]): void {
    for (const record of records) if (!isCounter(record)) this.#refused.add(record.id);
  }

  /** Compares with what a journal shows that has just been opened. */
  compare(state: ReadonlyMap<string, string>, when: string): void {
    const say = (what: string): void => void this.violations.push(`${when}: ${what}`);
    for (const [id, why] of this.#kept) if (!state.has(id)) say(`${id} was ${why} and is lost`);
    for (const [id, highest] of this.#counters) {
      const now = state.get(id) ?? '';
      if (now < highest) say(`${id} went back from ${highest} to ${now || 'nothing'}`);
    }
    for (const [id, text] of state) {
      if (isCounter({ id })) {
        this.#counters.set(id, text);
        continue;
      }
      if (this.#issued.get(id) !== text) say(`${id} is there and was never appended like that`);
      if (this.#refused.has(id)) say(`${id} is there and was refused`);
      if (!this.#kept.has(id)) this.#kept.set(id, 'shown');
    }
    for (const batch of this.#batches) {
      const there = batch.filter((id) => state.has(id)).length;
      if (there > 0 && there < batch.length) say(`${there} of ${batch.length} records of one append are there`);
    }
  }
}
