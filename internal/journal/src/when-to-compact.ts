/** What decides when to compact, besides the present size. */
export interface Growth {
  /** Size of the present snapshot: the best guess at what is live. */
  snapshotBytes: number;
  /** After a failed compaction: not before the log has grown to this. */
  retryAtBytes: number;
}

/** Every open begins a segment: many restarts with few records are compacted for their number. Opening 64 files takes a few ms. */
const MOST_SEGMENTS = 64;

/**
 * How large the log behind the snapshot may grow, in parts of the snapshot. With live part L and log c·L, at the moment of a
 * compaction the disk holds the old snapshot, the log and the new snapshot: (2 + c)·L; every byte that is appended costs
 * 1 + 1/c written bytes; and an open reads at most (1 + c)·L. Space times writing, (2 + c)(1 + 1/c), is least at c = √2 (5.83)
 * and within 3 % of that from 1 to 2 (6). Of these 1 takes the least space and opens soonest: three times the live part on disk,
 * each byte written twice, twice the live part read. The unit test computes it.
 */
export const LOG_PER_SNAPSHOT = 1;

/**
 * Whether the log has outgrown its live part: what came after the snapshot is larger than {@link LOG_PER_SNAPSHOT} snapshots and
 * than one segment, below which a compaction is not worth its files.
 */
export function compactionDue(growth: Growth, now: { bytes: number; segments: number }, segmentBytes: number): boolean {
  if (now.bytes < growth.retryAtBytes) return false;
  const most = Math.max(segmentBytes, LOG_PER_SNAPSHOT * growth.snapshotBytes);
  return now.segments > MOST_SEGMENTS || now.bytes - growth.snapshotBytes > most;
}

/**
 * Whether a close waits for a compaction that is under way, which otherwise gives up: a journal that is always closed before
 * its compaction is done would grow for ever.
 */
export function compactionOverdue(segments: number): boolean {
  return segments > 2 * MOST_SEGMENTS;
}
