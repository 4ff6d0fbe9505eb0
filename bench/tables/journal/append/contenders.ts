import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openJournal } from '@holdfast/journal';
import { cachedNode, type Proc, runProcess } from '@holdfast/testkit';
import { ClassicLevel } from 'classic-level';

/** Bytes of a record: an entry of the knowledge base, an alert. */
export const RECORD_BYTES = 600;

/** Makes one record durable, resolving when it is; or says what happened to `writers` x `each` of them. */
export interface Contender extends AsyncDisposable {
  readonly who: string;
  readonly kind: 'ours' | 'peer' | 'floor';
  round(writers: number, each: number): Promise<Round>;
}

export interface Round {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

export function recordOf(n: number): { id: string; text: string } {
  return { id: `entry-${n}`, text: String(n).padEnd(RECORD_BYTES - 40, '.') };
}

/** `writers` writers that append one record after another, and how long each waited. */
export async function appendBy(writers: number, each: number, append: (n: number) => Promise<unknown>): Promise<Round> {
  const waits: number[] = [];
  const started = performance.now();
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; n < each; n++) {
      const from = performance.now();
      await append(writer * each + n);
      waits.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return roundOf(waits, performance.now() - started);
}

function roundOf(waits: number[], ms: number): Round {
  const sorted = waits.sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
  return { perSecond: (sorted.length / ms) * 1000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

export async function holdfast(dir: string): Promise<Contender> {
  const state = new Map<string, string>();
  const journal = await openJournal<{ id: string; text: string }>({
    dir: join(dir, 'holdfast'),
    apply: ({ id, text }) => void state.set(id, text),
    *snapshot() {
      for (const [id, text] of state) yield { id, text };
    },
  });
  return {
    who: 'holdfast',
    kind: 'ours',
    round: (writers, each) => appendBy(writers, each, (n) => journal.append(recordOf(n))),
    [Symbol.asyncDispose]: () => journal.close(),
  };
}

/** What the disk allows: the records of all writers in one write, one fdatasync, and again. Nobody waits for anybody. */
export async function rawFdatasync(dir: string): Promise<Contender> {
  const file = await open(join(dir, 'raw'), 'w');
  let at = 0;
  return {
    who: 'raw write + fdatasync',
    kind: 'floor',
    async round(writers, each) {
      const waits: number[] = [];
      const started = performance.now();
      for (let n = 0; n < each; n++) {
        const from = performance.now();
        let text = '';
        for (let writer = 0; writer < writers; writer++) text += `${JSON.stringify(recordOf(writer * each + n))}\n`;
        const { bytesWritten } = await file.write(Buffer.from(text), 0, text.length, at);
        at += bytesWritten;
        await file.datasync();
        const wait = performance.now() - from;
        for (let writer = 0; writer < writers; writer++) waits.push(wait);
      }
      return roundOf(waits, performance.now() - started);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

export async function classicLevel(dir: string): Promise<Contender> {
  const db = new ClassicLevel(join(dir, 'level'));
  await db.open();
  return {
    who: 'classic-level 3.0.0, sync: true',
    kind: 'peer',
    round: (writers, each) =>
      appendBy(writers, each, (n) => {
        const { id, text } = recordOf(n);
        return db.put(id, JSON.stringify({ id, text }), { sync: true });
      }),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

/** node:sqlite in a process of its own: with this Node if it has it, else with a newer one from the cache folder. */
export async function nodeSqlite(dir: string): Promise<Contender | undefined> {
  const own = await import('node:module').then(({ isBuiltin }) => isBuiltin('node:sqlite'));
  const node = own ? process.execPath : (cachedNode(24) ?? cachedNode(22));
  if (node === undefined) return undefined;
  const script = fileURLToPath(new URL('./sqlite.mjs', import.meta.url));
  const proc: Proc = runProcess(node, ['--disable-warning=ExperimentalWarning', script, join(dir, 'sqlite.db')], {
    ipc: true,
  });
  const { version } = await proc.nextMessage<{ version: string }>();
  return {
    who: `node:sqlite of Node ${version.split('.')[0]}, WAL, synchronous=FULL`,
    kind: 'peer',
    round(writers, each) {
      proc.send({ writers, each });
      return proc.nextMessage<Round>(undefined, 60_000);
    },
    [Symbol.asyncDispose]: () => proc.kill(),
  };
}
