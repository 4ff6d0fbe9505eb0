import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openJournal } from '@holdfast/journal';
import { ClassicLevel } from 'classic-level';
import { interleave } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { RECORD_BYTES, recordOf } from './append/contenders.ts';

type Entry = { id: string; text: string };

/** Larger than anything here: nothing is rotated or compacted away while it is measured. */
const SEGMENT_BYTES = 2 ** 40;
const BATCH = 500;

export const table: Table = {
  name: 'journal/recovery',
  title: 'Opening a log',
  about:
    `How long it takes until all records of ${RECORD_BYTES} bytes are back in a Map after a restart. The floor reads plain JSON lines ` +
    'with readline and parses them: no checksum, no order, no owner. Opened in one process, in turn, several times; the files are in the page cache.',
  columns: [
    { name: 'open', unit: 'ms', better: 'lower' },
    { name: 'size', unit: 'bytes', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const rows: Row[] = [];
    for (const count of quick ? [2_000, 20_000] : [2_000, 20_000, 200_000]) {
      const place = join(dir, String(count));
      await mkdir(place);
      const sizes = {
        holdfast: await fillJournal(join(place, 'journal'), count),
        'JSON lines': await fillLines(join(place, 'lines'), count),
        'classic-level 3.0.0': await fillLevel(join(place, 'level'), count),
      };
      const whole = async (read: Promise<Map<string, Entry>>): Promise<number> => {
        const started = performance.now();
        const { size } = await read;
        if (size !== count) throw new Error(`${size} of ${count} records`);
        return performance.now() - started;
      };
      const times = await interleave(
        {
          holdfast: () => whole(readJournal(join(place, 'journal'))),
          'JSON lines': () => whole(readLines(join(place, 'lines'))),
          'classic-level 3.0.0': () => whole(readLevel(join(place, 'level'))),
        },
        { rounds: quick ? 3 : 5 },
      );
      const size = `${count.toLocaleString('en')} records`;
      for (const who of ['holdfast', 'JSON lines', 'classic-level 3.0.0'] as const) {
        const kind = who === 'holdfast' ? 'ours' : who === 'JSON lines' ? 'floor' : 'peer';
        rows.push({ who, kind, size, cells: { open: times[who], size: sizes[who] } });
      }
      log(`${size} done`);
    }
    return {
      rows,
      notes: [
        'With few records holdfast’s time is that of becoming the owner and of the fsyncs which make the new segment and the epoch durable.',
        'A log of 1 GB is opened by `npm run chaos -- journal/large`, which measures memory and the stalls of the event loop.',
      ],
    };
  },
};

async function fillJournal(dir: string, count: number): Promise<number> {
  const journal = await openJournal<Entry>({
    dir,
    segmentBytes: SEGMENT_BYTES,
    apply: () => undefined,
    snapshot: () => [],
  });
  for (let n = 0; n < count; n += BATCH) await journal.append(Array.from({ length: BATCH }, (_, m) => recordOf(n + m)));
  const { bytes } = journal.stats();
  await journal.close();
  return bytes;
}

async function readJournal(dir: string): Promise<Map<string, Entry>> {
  const state = new Map<string, Entry>();
  const journal = await openJournal<Entry>({
    dir,
    segmentBytes: SEGMENT_BYTES,
    apply: (entry) => void state.set(entry.id, entry),
    snapshot: () => state.values(),
  });
  await journal.close();
  return state;
}

async function fillLines(path: string, count: number): Promise<number> {
  const file = await open(path, 'w');
  for (let n = 0; n < count; n += BATCH)
    await file.write(Array.from({ length: BATCH }, (_, m) => `${JSON.stringify(recordOf(n + m))}\n`).join(''));
  const { size } = await file.stat();
  await file.close();
  return size;
}

async function readLines(path: string): Promise<Map<string, Entry>> {
  const state = new Map<string, Entry>();
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const entry = JSON.parse(line) as Entry;
    state.set(entry.id, entry);
  }
  return state;
}

async function fillLevel(dir: string, count: number): Promise<number> {
  const db = new ClassicLevel<string, Entry>(dir, { valueEncoding: 'json' });
  for (let n = 0; n < count; n += BATCH) {
    const entries = Array.from({ length: BATCH }, (_, m) => recordOf(n + m));
    await db.batch(entries.map((value) => ({ type: 'put', key: value.id, value })));
  }
  await db.compactRange('', '\uffff');
  const bytes = await db.approximateSize('', '\uffff');
  await db.close();
  return bytes;
}

async function readLevel(dir: string): Promise<Map<string, Entry>> {
  const db = new ClassicLevel<string, Entry>(dir, { valueEncoding: 'json' });
  const state = new Map<string, Entry>();
  for await (const [id, entry] of db.iterator()) state.set(id, entry);
  await db.close();
  return state;
}
