import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess, tempDir } from '@holdfast/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { STRACE } from '../fixtures/tools.js';

/** A system call that succeeded, or a MARK; from and to are places in the trace. */
interface Traced {
  call: string;
  path: string;
  from: number;
  to: number;
}

const missing = spawnSync(STRACE, ['-V']).error !== undefined;
if (missing) console.log('skipped for want of strace (Debian: `apt-get install strace`): the journal’s system calls');

/** Runs the traced fixture under strace, and reads what it did, in the order of beginning. */
async function trace(dir: string): Promise<Traced[]> {
  const out = join(dir, 'trace.txt');
  const fixture = fileURLToPath(new URL('../fixtures/traced.ts', import.meta.url));
  const calls = 'trace=write,pwrite64,fdatasync,fsync,rename,unlink,mkdir';
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), fixture, join(dir, 'journal')];
  await using proc = runProcess(STRACE, ['-f', '--seccomp-bpf', '-y', '-s', '60', '-e', calls, '-o', out, ...node], {
    env: { TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../../../tsconfig.json', import.meta.url)) },
  });
  expect((await proc.exited).code, proc.stderr).toBe(0);
  const begun = new Map<string, { text: string; from: number }>();
  const traced: Traced[] = [];
  for (const [at, line] of (await readFile(out, 'utf8')).split('\n').entries()) {
    const [, thread, text] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || text === undefined) continue;
    if (text.endsWith('<unfinished ...>')) {
      begun.set(thread, { text: text.replace(/ *<unfinished \.\.\.>$/, ''), from: at });
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    const { text: before, from } = rest === undefined ? { text: '', from: at } : begun.get(thread)!;
    const whole = before + (rest ?? text);
    const marked = /"MARK ([^"\\]+)/.exec(whole)?.[1];
    if (marked !== undefined) traced.push({ call: 'mark', path: marked, from, to: at });
    const [, call, args, result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(whole) ?? [];
    if (call === undefined || args === undefined || result?.startsWith('-')) continue;
    const path = call === 'rename' ? args.split('"')[3] : (/<([^>]*)>/.exec(args)?.[1] ?? args.split('"')[1]);
    if (path?.startsWith(dir)) traced.push({ call, path: path.slice(dir.length), from, to: at });
  }
  return traced.sort((a, b) => a.from - b.from);
}

describe.skipIf(missing)('the system calls of a journal', () => {
  let all: Traced[] = [];
  const mark = (name: string): Traced => all.find(({ call, path }) => call === 'mark' && path === name)!;
  /** Whether a call on `path` begins after `from` has ended and ends before `to` begins. */
  const within = (call: string, path: string | RegExp, from: Traced, to: Traced): boolean =>
    all.some(
      (one) =>
        one.call === call &&
        (typeof path === 'string' ? one.path === path : path.test(one.path)) &&
        one.from > from.to &&
        one.to < to.from,
    );

  beforeAll(async () => {
    await using dir = await tempDir();
    all = await trace(dir.path);
    expect(mark('closed')).toBeDefined();
  });

  it('[P1] have a write and then a successful fdatasync of the same file between each append and its resolve', () => {
    for (let n = 0; n < 6; n++) {
      const [begin, end] = [mark(`append ${n}`), mark(`appended ${n}`)];
      const proven = all.some(
        (write) =>
          write.call === 'pwrite64' &&
          /\/\d{10}\.log$/.test(write.path) &&
          write.from > begin.to &&
          within('fdatasync', write.path, write, end),
      );
      expect(proven, `append ${n}`).toBe(true);
    }
  });

  it('[P1] sync the directory after every rename and mkdir, before an append behind it resolves', () => {
    const changes = all.filter(({ call, path }) => (call === 'rename' || call === 'mkdir') && path.includes('/epoch-'));
    expect(changes.filter(({ call }) => call === 'rename').length).toBeGreaterThanOrEqual(3); // open, rotation, compaction
    for (const change of changes) {
      const folder = change.path.slice(0, change.path.lastIndexOf('/'));
      const next = all.find(
        ({ call, path, from }) => call === 'mark' && /^(opened|compacted)/.test(path) && from > change.to,
      )!;
      expect(within('fsync', folder, change, next), `${change.call} ${change.path}`).toBe(true);
    }
    expect(within('fsync', '/journal', mark('open'), mark('opened'))).toBe(true);
    expect(within('fsync', '', mark('open'), mark('opened'))).toBe(true);
  });

  it('[P1] sync the directory of a new segment before the first append into it resolves', () => {
    const renamed = all.filter(({ call, path }) => call === 'rename' && path.endsWith('.log'));
    expect(renamed.length).toBeGreaterThanOrEqual(2);
    for (const rename of renamed) {
      const folder = rename.path.slice(0, rename.path.lastIndexOf('/'));
      const first = all.find(({ call, path, from }) => call === 'pwrite64' && path === rename.path && from > rename.to);
      if (first) expect(within('fsync', folder, rename, first), rename.path).toBe(true);
    }
  });

  it('[P5] fdatasync a snapshot before its rename, and sync its directory before anything it replaces is removed', () => {
    const renamed = all.find(({ call, path }) => call === 'rename' && path.endsWith('.snap'))!;
    expect(within('fdatasync', `${renamed.path}.tmp`, mark('opened'), renamed)).toBe(true);
    const removed = all.filter(({ call, path }) => call === 'unlink' && path.endsWith('.log'));
    expect(removed.length).toBeGreaterThanOrEqual(1);
    const folder = renamed.path.slice(0, renamed.path.lastIndexOf('/'));
    expect(within('fsync', folder, renamed, removed[0]!)).toBe(true);
  });
});
