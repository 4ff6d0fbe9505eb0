import { systemClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/entry.js';
import type { OpenStore, WriteOutcome } from '../../src/store.js';
import { Writer } from '../../src/writer.js';

/** A store that holds one row, answers each commit with the next of `outcomes`, and takes the row on `ok`. */
function storeWith(stored: Row, outcomes: WriteOutcome[]): OpenStore {
  let row = stored;
  return {
    async commit(write) {
      const outcome = outcomes.shift() ?? { status: 'ok' };
      if (outcome.status === 'ok') row = write.row;
      return outcome;
    },
    read: async () => row,
    compare: () => Promise.reject(new Error('not asked here')),
    close: async () => {},
  };
}

function writerOver(store: OpenStore): Writer {
  const rows = new Map<string, Row>();
  return new Writer(store, {
    clock: systemClock,
    random: () => 0,
    writeTimeoutMs: 10_000,
    row: (id) => rows.get(id),
    apply: (row) => void rows.set(row.id, row),
    forget: (id) => void rows.delete(id),
    emit: () => {},
  });
}

const far: Row = { id: 'a', rev: 50, op: 'other', at: 0, entry: { id: 'a', title: 'others' } };
const write = (writer: Writer): Promise<Row | undefined> =>
  writer.write('a', 'mine', (current) => ({ write: { ...far, rev: (current?.rev ?? 0) + 1, op: 'mine' } }));

describe('Writer', () => {
  it('[P19] tries again after a conflict, however many revisions others are ahead', async () => {
    const writer = writerOver(storeWith(far, [{ status: 'conflict' }]));
    expect(await write(writer)).toMatchObject({ rev: 51, op: 'mine' });
    await writer.close();
  });

  it('[P20] says so when others wrote so often that a lost answer can not be settled', async () => {
    const writer = writerOver(storeWith(far, [{ status: 'unknown', cause: new Error('cut') }]));
    const error = await write(writer).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KB_UNKNOWN_OUTCOME', opId: 'mine' });
    expect(await (error as { settle(): Promise<unknown> }).settle()).toEqual({ status: 'unknowable' });
    await writer.close();
  });
});
