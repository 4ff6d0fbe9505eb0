import { join } from 'node:path';
import { createWhole, syncNames, type Workplace } from './context.js';
import { JournalError } from './errors.js';
import { codeOf, makeDirectory, syncDirectory, writeFully } from './file-system.js';
import { checkHeader, endingOf, endLine } from './header.js';
import { logName, planFiles, snapshotName } from './layout.js';
import { readRange, Slicer, scanFile } from './read-file.js';
import { type Finding, SegmentScanner, type Verdict } from './scan.js';

/** A file that was read and is kept. */
export interface ReadFile {
  name: string;
  bytes: number;
  records: number;
}

export interface Recovered {
  snapshot: ReadFile | undefined;
  logs: ReadFile[];
  /** The number of the next segment. */
  next: number;
  records: number;
  tornBytes: number;
  quarantinedBytes: number;
}

/** What has to be done to a file once everything was read and accepted. */
interface Repair {
  name: string;
  keep: { from: number; to: number }[];
  setAside: { from: number; to: number }[];
  /** Detects a change between the scan and the copy. */
  records: number;
}

/**
 * Reads everything and then repairs: cuts the torn tail, sets damage aside, removes leftovers. Nothing is changed before
 * the last byte was read and accepted, so a refusal leaves every file as it was.
 */
export async function recover<R>(
  place: Workplace,
  options: {
    onDamage: 'refuse' | 'quarantine';
    apply(record: R): void;
    onProgress?: ((progress: { bytes: number; totalBytes: number; records: number }) => void) | undefined;
    checkpoint(): void;
  },
): Promise<Recovered> {
  const { fs } = place;
  const plan = planFiles(await fs.readdir(place.epochDir));
  const repairs: Repair[] = [];
  const result: Recovered = { snapshot: undefined, logs: [], next: 1, records: 0, tornBytes: 0, quarantinedBytes: 0 };
  const refuse = (file: string, offset: number, bytes: number, what: string): void => {
    const quarantined = options.onDamage === 'quarantine';
    place.emit({ type: 'journal.damage-found', file, offset, bytes, quarantined });
    if (quarantined) return;
    throw new JournalError(
      'JOURNAL_DAMAGED',
      `${join(place.epochDir, file)} ${what} at byte ${offset} (${bytes} bytes); restore it from a backup, or open with ` +
        `onDamage: 'quarantine' to set the bytes aside and go on without them`,
      { dir: place.dir, file, offset, bytes },
    );
  };

  for (const segment of plan.missing) refuse(logName(segment), 0, 0, 'is missing');
  const { last, empty } = await findLast(place, plan.logs);
  const torn = (file: string, offset: number, bytes: number): void => {
    result.tornBytes += bytes;
    place.emit({ type: 'journal.tail-cut', file, offset, bytes });
  };
  const logs = plan.logs.filter((segment) => !empty.has(segment));
  const names = [...(plan.snapshot === undefined ? [] : [snapshotName(plan.snapshot)]), ...logs.map(logName)];
  const progress = await progressOf(place, names, options.onProgress, () => result.records);
  const slicer = new Slicer(place.clock, place.nextTurn);

  for (const name of names) {
    const isLast = last !== undefined && name === logName(last);
    const repair: Repair = { name, keep: [], setAside: [], records: 0 };
    let end = 0;
    let records = 0;
    const onFinding = (finding: Finding): boolean | Promise<boolean> => {
      if (finding.type === 'damage') {
        refuse(name, finding.offset, finding.bytes, 'is damaged');
        repair.keep.push({ from: end, to: finding.offset });
        repair.setAside.push({ from: finding.offset, to: finding.offset + finding.bytes });
        end = finding.offset + finding.bytes;
        return true;
      }
      const { line } = finding;
      if (line.kind === 'header') checkHeader(line, name, place.dir);
      if (line.kind === 'records') {
        repair.records++;
        const value = JSON.parse(line.body.toString()) as R | R[];
        for (const record of Array.isArray(value) ? (value as R[]) : [value]) {
          options.apply(record);
          records++;
          result.records++;
        }
      }
      return slicer.due ? pause() : true;
    };
    const pause = async (): Promise<boolean> => {
      await slicer.yield();
      options.checkpoint();
      return true;
    };
    const verdict = (await scanFile(fs, join(place.epochDir, name), name, {
      whole: !isLast,
      onFinding,
      onBytes: progress.add,
    }))!;
    options.checkpoint();
    const ending = endingOf(verdict.ending);
    const kept = isLast ? place.protocol.keptBytes(verdict) : verdict.goodBytes;
    if (!isLast && ending === undefined) refuse(name, verdict.goodBytes, 0, 'has lost its end');
    if (verdict.tornBytes > 0) torn(name, verdict.goodBytes, verdict.tornBytes);
    const setAside = repair.setAside.reduce((sum, range) => sum + range.to - range.from, 0);
    result.quarantinedBytes += setAside;
    if (kept > end) repair.keep.push({ from: end, to: kept });
    const done: ReadFile = { name, bytes: kept - setAside, records };
    // A segment that was not finished by its last writer may still have one, which could wake up: a copy has none.
    if (setAside > 0 || ending === undefined || (isLast && ending === 'rotated')) repairs.push(repair);
    if (name.endsWith('.snap')) result.snapshot = done;
    else result.logs.push(done);
  }
  progress.finish();
  for (const [segment, verdict] of empty)
    if (verdict.tornBytes > 0) torn(logName(segment), verdict.goodBytes, verdict.tornBytes);

  for (const repair of repairs) {
    const bytes = await rewrite(place, repair);
    for (const file of [result.snapshot, ...result.logs]) if (file?.name === repair.name) file.bytes = bytes;
  }
  for (const segment of plan.missing) {
    const whole = await createWhole(place, logName(segment), (file, at) => finishWith(file, at, logName(segment)));
    await whole.file.close();
  }
  result.next = Math.max(plan.snapshot ?? 1, ...[...logs, ...plan.missing].map((segment) => segment + 1));
  // Before anything is removed: the snapshot that replaces it may have been renamed into place just before a crash.
  await syncNames(place);
  for (const name of [...plan.obsolete, ...[...empty.keys()].filter((segment) => segment !== result.next).map(logName)])
    await fs.unlink(join(place.epochDir, name)).catch(unlessMissing);
  return result;
}

/** The last segment that holds a record; those behind it hold none and are replaced. */
async function findLast(
  place: Workplace,
  logs: number[],
): Promise<{ last: number | undefined; empty: Map<number, Verdict> }> {
  const empty = new Map<number, Verdict>();
  for (const segment of [...logs].reverse()) {
    const name = logName(segment);
    const verdict = await scanFile(place.fs, join(place.epochDir, name), name, {
      whole: false,
      onFinding(finding) {
        if (finding.type === 'damage') return false;
        if (finding.line.kind === 'header') checkHeader(finding.line, name, place.dir);
        return finding.line.kind !== 'records';
      },
    });
    if (!verdict) return { last: segment, empty };
    empty.set(segment, verdict);
  }
  return { last: undefined, empty };
}

/** Replaces a file by a finished copy of its good bytes, after the bad ones are safe in `damaged/`. Resolves with its size. */
async function rewrite(place: Workplace, repair: Repair): Promise<number> {
  const path = join(place.epochDir, repair.name);
  const source = await place.fs.open(path, 'r');
  try {
    for (const range of repair.setAside) await setAside(place, repair.name, range, source);
    const scanner = new SegmentScanner(repair.name);
    let records = 0;
    const count = (findings: Finding[]): void => {
      for (const finding of findings) if (finding.type === 'line' && finding.line.kind === 'records') records++;
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
        if (records !== repair.records)
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

async function finishWith(target: Parameters<typeof writeFully>[0], at: number, name: string): Promise<number> {
  const end = Buffer.from(endLine(name, at, 'recovered'));
  await writeFully(target, end, at);
  return at + end.length;
}

async function setAside(
  place: Workplace,
  name: string,
  range: { from: number; to: number },
  source: Parameters<typeof readRange>[0],
): Promise<void> {
  const dir = join(place.dir, 'damaged');
  for (const changed of await makeDirectory(place.fs, dir)) await syncDirectory(place.fs, changed, place.onUnsupported);
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

async function progressOf(
  place: Workplace,
  names: string[],
  report: ((progress: { bytes: number; totalBytes: number; records: number }) => void) | undefined,
  records: () => number,
): Promise<{ add(bytes: number): void; finish(): void }> {
  if (!report) return { add: () => undefined, finish: () => undefined };
  let totalBytes = 0;
  for (const name of names) {
    const file = await place.fs.open(join(place.epochDir, name), 'r');
    totalBytes += (await file.stat()).size;
    await file.close();
  }
  let bytes = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  const tell = (): void => report({ bytes, totalBytes, records: records() });
  return {
    add(more) {
      bytes += more;
      const now = place.clock.monotonic();
      if (now - reportedAt < 100) return;
      reportedAt = now;
      tell();
    },
    finish: tell,
  };
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
