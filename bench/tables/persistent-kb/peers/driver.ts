import { systemClock } from '@holdfast/clock';
import type { Entry, KbStore, Row, StoreContext } from '@holdfast/persistent-kb';

/** A store driven without a knowledge base above it: what a put costs before text, tags and queues. */
export async function driverOf(store: KbStore): Promise<{ put(entry: Entry): Promise<void>; close(): Promise<void> }> {
  const rows = new Map<string, Row>();
  const context: StoreContext = {
    clock: systemClock,
    startTimeoutMs: 30_000,
    onDamage: 'refuse',
    signal: new AbortController().signal,
    apply: (row) => void rows.set(row.id, row),
    forget: (id) => void rows.delete(id),
    poison: (id, reason) => {
      throw new Error(`${id}: ${reason}`);
    },
    isPoisoned: () => false,
    rows: () => rows.values(),
    row: (id) => rows.get(id),
    progress: () => {},
    health: () => {},
    emit: () => {},
  };
  const opened = await store.open(context);
  let count = 0;
  return {
    async put(entry) {
      const known = rows.get(entry.id);
      const row = { id: entry.id, rev: (known?.rev ?? 0) + 1, op: `op-${count++}`, at: 1, entry };
      const outcome = await opened.commit({ row, base: known?.rev }, { timeoutMs: 15_000 });
      if (outcome.status !== 'ok') throw new Error(outcome.status);
    },
    close: () => opened.close(),
  };
}
