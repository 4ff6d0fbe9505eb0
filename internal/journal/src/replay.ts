import { join } from 'node:path';
import type { Workplace } from './context.js';
import { recordsOf } from './encode.js';
import { JournalError } from './errors.js';
import { checkHeader, endingOf } from './header.js';
import { type FilePlan, logName, planFiles, snapshotName } from './layout.js';
import { watchProgress } from './progress.js';
import { Slicer, scanFile } from './read-file.js';
import type { Finding, Verdict } from './scan.js';

/** A file that was read and is kept. */
export interface ReadFile {
  name: string;
  bytes: number;
  records: number;
}

/** What has to be done to a file once everything was read and accepted. */
export interface Repair {
  name: string;
  keep: { from: number; to: number }[];
  setAside: { from: number; to: number }[];
  /** Lines of records in what is kept: tells a change between the reading and the copying. */
  lines: number;
}

/** A directory that was read and accepted, and what it needs before it can be written to. Nothing was changed yet. */
export interface Replayed {
  plan: FilePlan;
  snapshot: ReadFile | undefined;
  logs: ReadFile[];
  /** Last segments without a record: replaced or removed. */
  empty: number[];
  repairs: Repair[];
  /** The mark of the last close. Its writer may have been killed, or its fsync may have failed, after it was written. */
  endMark: { name: string; from: number; to: number } | undefined;
  tornBytes: number;
  quarantinedBytes: number;
}

export interface ReplayOptions<R> {
  onDamage: 'refuse' | 'quarantine';
  apply(record: R): void;
  onProgress?: ((progress: { bytes: number; totalBytes: number; records: number }) => void) | undefined;
  /** Throws to give up. Called between slices. */
  checkpoint(): void;
}

/** Reads every record of the epoch directory through `apply`, in order, and changes nothing. Rejects at damage. */
export async function replay<R>(place: Workplace, options: ReplayOptions<R>): Promise<Replayed> {
  const { fs } = place;
  const plan = planFiles(await fs.readdir(place.epochDir));
  const damage = damageRule(place, options.onDamage);
  for (const segment of plan.missing) damage(logName(segment), 0, 0, 'is missing');
  const { last, empty } = await findLast(place, plan.logs);
  const read: Replayed = {
    plan,
    snapshot: undefined,
    logs: [],
    empty: [...empty.keys()],
    repairs: [],
    endMark: undefined,
    tornBytes: 0,
    quarantinedBytes: 0,
  };
  const torn = (file: string, { goodBytes, tornBytes }: Verdict): void => {
    if (tornBytes === 0) return;
    read.tornBytes += tornBytes;
    place.emit({ type: 'journal.tail-cut', file, offset: goodBytes, bytes: tornBytes });
  };

  const logs = plan.logs.filter((segment) => !empty.has(segment));
  const names = [...(plan.snapshot === undefined ? [] : [snapshotName(plan.snapshot)]), ...logs.map(logName)];
  const progress = await watchProgress(place, names, options.onProgress);
  const slicer = new Slicer(place.clock, place.nextTurn);
  for (const name of names) {
    const isLast = last !== undefined && name === logName(last);
    const repair: Repair = { name, keep: [], setAside: [], lines: 0 };
    let end = 0;
    let records = 0;
    const onFinding = (finding: Finding): boolean | Promise<boolean> => {
      if (finding.type === 'damage') {
        damage(name, finding.offset, finding.bytes, 'is damaged');
        repair.keep.push({ from: end, to: finding.offset });
        end = finding.offset + finding.bytes;
        repair.setAside.push({ from: finding.offset, to: end });
        return true;
      }
      const { line } = finding;
      if (line.kind === 'header') checkHeader(line, name, place.dir);
      if (line.kind === 'records') {
        repair.lines++;
        for (const record of recordsOf<R>(line.body.toString())) {
          options.apply(record);
          records++;
          progress.records++;
        }
      }
      return slicer.due ? pause() : true;
    };
    const pause = async (): Promise<boolean> => {
      await slicer.yield();
      options.checkpoint();
      return true;
    };
    const onBytes = (bytes: number): void => progress.add(bytes);
    const path = join(place.epochDir, name);
    const verdict = (await scanFile(fs, path, name, { whole: !isLast, onFinding, onBytes }))!;
    options.checkpoint();
    const ending = endingOf(verdict.ending);
    if (!isLast && ending === undefined) damage(name, verdict.goodBytes, 0, 'has lost its end');
    torn(name, verdict);
    const kept = isLast ? place.protocol.keptBytes(verdict) : verdict.goodBytes;
    if (kept > end) repair.keep.push({ from: end, to: kept });
    const aside = repair.setAside.reduce((sum, range) => sum + range.to - range.from, 0);
    read.quarantinedBytes += aside;
    const mark = verdict.ending;
    if (isLast && mark && ending === 'closed') read.endMark = { name, from: mark.offset, to: mark.offset + mark.bytes };
    // A segment that was not finished by its last writer may still have one, which could wake up: a copy has none.
    if (aside > 0 || ending === undefined || (isLast && ending === 'rotated')) read.repairs.push(repair);
    const file: ReadFile = { name, bytes: kept - aside, records };
    if (name.endsWith('.snap')) read.snapshot = file;
    else read.logs.push(file);
  }
  progress.finish();
  for (const [segment, verdict] of empty) torn(logName(segment), verdict);
  return read;
}

/** Tells damage, and refuses it unless it is to be set aside. */
function damageRule(place: Workplace, onDamage: 'refuse' | 'quarantine') {
  return (file: string, offset: number, bytes: number, what: string): void => {
    const quarantined = onDamage === 'quarantine';
    place.emit({ type: 'journal.damage-found', file, offset, bytes, quarantined });
    if (quarantined) return;
    throw new JournalError(
      'JOURNAL_DAMAGED',
      `${file} in ${place.dir} ${what} at byte ${offset} (${bytes} bytes); restore it from a backup, or open with ` +
        `onDamage: 'quarantine' to set the bytes aside and go on without them`,
      { dir: place.dir, file, offset, bytes },
    );
  };
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
