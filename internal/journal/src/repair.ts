import { join } from 'node:path';
import { createWhole, syncNames, type Workplace } from './context.js';
import { JournalError } from './errors.js';
import { codeOf, type JournalFile, syncDirectory, writeFully } from './file-system.js';
import { endLine } from './header.js';
import { logName } from './layout.js';
import { readRange } from './read-file.js';
import type { ReadFile, Repair, Replayed } from './replay.js';
import { type Finding, SegmentScanner } from './scan.js';

/** Cuts torn tails, sets damage aside, removes leftovers. Resolves with the files as they are now, and the next segment. */
export async function repair(place: Workplace, read: Replayed): Promise<{ files: ReadFile[]; next: number }> {
  const { plan, repairs } = read;
  const files = [...(read.snapshot ? [read.snapshot] : []), ...read.logs];
  for (const one of repairs) {
    const bytes = await rewrite(place, one);
    for (const file of files) if (file.name === one.name) file.bytes = bytes;
  }
  if (read.endMark) await storeAgain(place, read.endMark);
  for (const segment of plan.missing) {
    const name = logName(segment);
    const whole = await createWhole(place, name, (file, at) => finishWith(file, at, name));
    await whole.file.close();
  }
  const kept = [...plan.logs, ...plan.missing].filter((segment) => !read.empty.includes(segment));
  const next = Math.max(plan.snapshot ?? 1, ...kept.map((segment) => segment + 1));
  // Before anything is removed: the snapshot that replaces it may have been renamed into place just before a crash.
  await syncNames(place);
  for (const name of [...plan.obsolete, ...read.empty.filter((segment) => segment !== next).map(logName)])
    await place.fs.unlink(join(place.epochDir, name)).catch(unlessMissing);
  return { files, next };
}

/**
 * Writes bytes that were read once more and syncs them. A sync alone would pass over them if an earlier one failed: their
 * pages count as clean.
 */
async function storeAgain(
  place: Workplace,
  { name, from, to }: { name: string; from: number; to: number },
): Promise<void> {
  const file = await place.fs.open(join(place.epochDir, name), 'r+');
  try {
    let at = from;
    for await (const chunk of readRange(file, from, to)) {
      await writeFully(file, chunk, at);
      at += chunk.length;
    }
    await place.protocol.makeDurable(file);
  } finally {
    await file.close();
  }
}

/** Replaces a file by a finished copy of its good bytes, after the bad ones are safe in `damaged/`. Resolves with its size. */
async function rewrite(place: Workplace, repair: Repair): Promise<number> {
  const path = join(place.epochDir, repair.name);
  const source = await place.fs.open(path, 'r');
  try {
    for (const range of repair.setAside) await setAside(place, repair.name, range, source);
    const scanner = new SegmentScanner(repair.name);
    let lines = 0;
    const count = (findings: Finding[]): void => {
      for (const finding of findings) if (finding.type === 'line' && finding.line.kind === 'records') lines++;
    };
    const { file, size } = await createWhole(
      place,
      repair.name,
      async (target) => {
        let at = 0;
        for (const range of repair.keep)
          for await (const chunk of readRange(source, range.from, range.to)) {
            count(scanner.push(chunk));
            await writeFully(target, chunk, at);
            at += chunk.length;
          }
        count(scanner.finish(true).findings);
        if (lines !== repair.lines)
          throw new JournalError('JOURNAL_UNUSABLE', `${path} changed while it was read; open the journal again`, {
            dir: place.dir,
            file: repair.name,
          });
        return finishWith(target, at, repair.name);
      },
      { header: false },
    );
    await file.close();
    return size;
  } finally {
    await source.close();
  }
}

async function finishWith(target: JournalFile, at: number, name: string): Promise<number> {
  const end = Buffer.from(endLine(name, at, 'recovered'));
  await writeFully(target, end, at);
  return at + end.length;
}

async function setAside(
  place: Workplace,
  name: string,
  range: { from: number; to: number },
  source: JournalFile,
): Promise<void> {
  const dir = join(place.dir, 'damaged');
  await place.fs.mkdir(dir, { recursive: true, mode: 0o700 });
  await syncDirectory(place.fs, place.dir, place.onUnsupported);
  const target = await place.fs.open(join(dir, `${name}.${place.epoch}.${range.from}`), 'w', 0o600);
  try {
    let at = 0;
    for await (const chunk of readRange(source, range.from, range.to)) {
      await writeFully(target, chunk, at);
      at += chunk.length;
    }
    await target.sync();
  } finally {
    await target.close();
  }
  await syncDirectory(place.fs, dir, place.onUnsupported);
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
