import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { eventually, type Proc, runNode, runProcess, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { type Journal, type JournalEvent, openJournal } from '../../src/index.js';
import { UNSHARE } from '../fixtures/tools.js';

const APPENDER = new URL('../fixtures/appender.ts', import.meta.url);
const NAMESPACE = ['-Urpf', '--mount-proc', '--kill-child'];
const namespaces = spawnSync(UNSHARE, [...NAMESPACE, 'true']).status === 0;
if (!namespaces) console.log('skipped for want of the right to unshare a pid namespace: an owner that wakes up');

type Told = { opened?: string[]; acked?: string; failed?: string; code?: string };

async function open(dir: string): Promise<{ journal: Journal<string>; state: Set<string>; events: JournalEvent[] }> {
  const state = new Set<string>();
  const events: JournalEvent[] = [];
  const journal = await openJournal<string>({
    dir,
    staleMs: 2_000,
    apply: (record) => void state.add(record),
    snapshot: () => [...state],
    onEvent: (event) => void events.push(event),
  });
  return { journal, state, events };
}

const acked = (proc: Proc): string[] => (proc.messages as Told[]).flatMap(({ acked }) => acked ?? []);

describe('openJournal', () => {
  it('[P14] replaces a SIGKILLed owner without waiting for anything, and has every record it acknowledged', {
    timeout: 120_000,
  }, async () => {
    await using dir = await tempDir();
    const all: string[] = [];
    for (let round = 0; round < 3; round++) {
      await using proc = runNode(APPENDER, { ipc: true, args: [dir.path, `owner ${round}`] });
      await eventually(() => acked(proc).length > 200 + round * 37, { timeoutMs: 30_000 });
      await proc.kill();
      all.push(...acked(proc));
      const state = new Set<string>();
      // Were the owner watched for staleMs, opening would end in JOURNAL_LOCKED.
      const journal = await openJournal<string>({
        dir: dir.path,
        staleMs: 3_600_000,
        apply: (record) => void state.add(record),
        snapshot: () => [...state],
      });
      await journal.close();
      expect(all.filter((record) => !state.has(record))).toEqual([]);
    }
  });

  it('[P9] respects an owner that is stopped but proven alive: it is refused at once, and every file stays as it was', async () => {
    await using dir = await tempDir();
    await using proc = runNode(APPENDER, { ipc: true, args: [dir.path, 'owner'] });
    await eventually(() => acked(proc).length > 20, { timeoutMs: 30_000 });
    proc.signal('SIGSTOP');
    await eventually(() => /State:\s+T/.test(readFileSync(`/proc/${proc.pid}/status`, 'utf8')));
    const names = async (): Promise<string[]> => (await readdir(dir.path, { recursive: true })).sort();
    const before = await names();
    await expect(open(dir.path)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED', owner: { pid: proc.pid } });
    expect(await names()).toEqual(before);
    proc.signal('SIGCONT');
    const count = acked(proc).length;
    await eventually(() => acked(proc).length > count);
  });

  it.skipIf(!namespaces)(
    '[P7] lets an owner that was stopped, replaced and woken up slip nothing in, and acknowledge nothing',
    { timeout: 90_000 },
    async () => {
      await using dir = await tempDir();
      const node = [process.execPath, '--import', import.meta.resolve('tsx'), fileURLToPath(APPENDER)];
      await using proc = runProcess(UNSHARE, [...NAMESPACE, ...node, dir.path, 'old'], {
        ipc: true,
        env: { TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../../../tsconfig.json', import.meta.url)) },
      });
      await eventually(() => acked(proc).length > 200, { timeoutMs: 30_000 });
      const inner = Number(readFileSync(`/proc/${proc.pid}/task/${proc.pid}/children`, 'utf8').trim());
      process.kill(inner, 'SIGSTOP');
      const next = await open(dir.path); // another pid namespace: nothing is proven, its heartbeat stands still
      await next.journal.append('the successor was here');
      const sealed = new Set(next.state);
      const before = acked(proc);
      process.kill(inner, 'SIGCONT');
      await proc.exited;
      const told = proc.messages as Told[];
      expect(told.filter(({ code }) => code !== undefined).map(({ code }) => code)).toContain('JOURNAL_FAILED');
      expect(told.filter(({ code }) => code !== undefined && code !== 'JOURNAL_FAILED')).toEqual([]);
      // Messages that were on their way when it was stopped are acknowledgements too; none is of a record not seen.
      expect(acked(proc).filter((record) => !sealed.has(record))).toEqual([]);
      expect(before.filter((record) => !sealed.has(record))).toEqual([]);
      await next.journal.append('and still is');
      await next.journal.close();
      const last = await open(dir.path);
      expect([...last.state]).toEqual([...sealed, 'and still is']);
      expect(last.events.map(({ type }) => type)).toEqual(['journal.opened']);
      await last.journal.close();
      expect((await readdir(dir.path)).filter((name) => name.startsWith('epoch-'))).toHaveLength(1);
    },
  );
});
