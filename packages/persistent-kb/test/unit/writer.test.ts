import { type Clock, manualClock, systemClock } from '@holdfast/clock';
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

function writerOver(store: OpenStore, rows = new Map<string, Row>(), clock: Clock = systemClock): Writer {
  return new Writer(store, {
    clock,
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

  it('[P37] holds back later writes to an id whose outcome is unknown until it is settled; other ids go on', async () => {
    const rows = new Map<string, Row>();
    let answer = (_row: Row | undefined): void => {};
    const asked = new Promise<Row | undefined>((resolve) => {
      answer = resolve;
    });
    const sent: string[] = [];
    const store: OpenStore = {
      async commit({ row }) {
        sent.push(row.op);
        if (row.op === 'cut') return { status: 'unknown', cause: new Error('cut') };
        rows.set(row.id, row);
        return { status: 'ok' };
      },
      read: (id) => (id === 'a' ? asked : Promise.resolve(undefined)),
      compare: () => Promise.reject(new Error('not asked here')),
      close: async () => {},
    };
    const writer = writerOver(store, rows);
    const put = (id: string, op: string) =>
      writer.write(id, op, (current) => ({ write: { ...far, id, rev: (current?.rev ?? 0) + 1, op } }));
    const first = put('a', 'cut');
    const second = put('a', 'next');
    expect(await put('b', 'other')).toMatchObject({ rev: 1 });
    expect(sent).toEqual(['cut', 'other']);
    expect(writer.inDoubt).toBe(1);
    answer({ ...far, rev: 1, op: 'cut' });
    expect(await first).toMatchObject({ rev: 1, op: 'cut' });
    expect(await second).toMatchObject({ rev: 2, op: 'next' });
    expect(sent).toEqual(['cut', 'other', 'next']);
    expect(writer.inDoubt).toBe(0);
    await writer.close();
  });

  it('[P37] answers a caller in time while the outcome is unknown, and settles it behind', async () => {
    const clock = manualClock();
    const rows = new Map<string, Row>();
    let reachable = false;
    const store: OpenStore = {
      commit: async () => ({ status: 'unknown', cause: new Error('cut') }),
      async read() {
        if (!reachable) throw new Error('away');
        return { ...far, rev: 1, op: 'cut' };
      },
      compare: () => Promise.reject(new Error('not asked here')),
      close: async () => {},
    };
    const writer = writerOver(store, rows, clock);
    const put = (op: string) =>
      writer.write('a', op, () => ({ write: { ...far, rev: 1, op } })).catch((error) => error);
    const first = put('cut');
    const second = put('waits');
    await clock.advance(10_000);
    const error = await first;
    expect(error).toMatchObject({ code: 'KB_UNKNOWN_OUTCOME', opId: 'cut', id: 'a' });
    expect(await second).toMatchObject({ code: 'KB_STORE_FAILED' });
    reachable = true;
    await clock.advance(5_000);
    expect(await error.settle()).toEqual({ status: 'written', rev: 1 });
    await writer.close();
  });
});
