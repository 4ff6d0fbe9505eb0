/** Files of an epoch directory and the epoch directories themselves: ten decimal digits, so that names sort as numbers. */
const FILE = /^(\d{10})\.(log|snap)$/;
const EPOCH = /^epoch-(\d{10})$/;
export const TEMPORARY = '.tmp';

export function logName(segment: number): string {
  return `${digits(segment)}.log`;
}

export function snapshotName(segment: number): string {
  return `${digits(segment)}.snap`;
}

export function epochName(epoch: number): string {
  return `epoch-${digits(epoch)}`;
}

function digits(value: number): string {
  return String(value).padStart(10, '0');
}

/** The newest epoch among the names in a journal's directory. There is more than one only if people copied one in. */
export function newestEpoch(names: readonly string[]): number | undefined {
  const epochs = names.flatMap((name) => EPOCH.exec(name)?.slice(1).map(Number) ?? []);
  return epochs.length > 0 ? Math.max(...epochs) : undefined;
}

/** What to make of the files of an epoch directory. */
export interface FilePlan {
  /** The snapshot to begin with: it stands for all segments below its number. */
  snapshot: number | undefined;
  /** Segments to read, in order, those that are there. */
  logs: number[];
  /** Segments that must be there and are not. */
  missing: number[];
  /** Names that nothing needs any more: leftovers of a compaction or of an unfinished write. */
  obsolete: string[];
}

/** Decides from the names alone. Names that the journal does not know are left alone. */
export function planFiles(names: readonly string[]): FilePlan {
  const all = { log: new Set<number>(), snap: new Set<number>() };
  const obsolete: string[] = [];
  for (const name of [...names].sort()) {
    const match = FILE.exec(name);
    if (match) all[match[2] as 'log' | 'snap'].add(Number(match[1]));
    else if (name.endsWith(TEMPORARY) && FILE.test(name.slice(0, -TEMPORARY.length))) obsolete.push(name);
  }
  const snapshot = all.snap.size > 0 ? Math.max(...all.snap) : undefined;
  const first = snapshot ?? 1;
  for (const segment of all.snap) if (segment !== snapshot) obsolete.push(snapshotName(segment));
  for (const segment of all.log) if (segment < first) obsolete.push(logName(segment));
  const last = Math.max(snapshot ?? 0, ...all.log);
  const logs: number[] = [];
  const missing: number[] = [];
  for (let segment = first; segment <= last; segment++) (all.log.has(segment) ? logs : missing).push(segment);
  return { snapshot, logs, missing, obsolete: obsolete.sort() };
}
