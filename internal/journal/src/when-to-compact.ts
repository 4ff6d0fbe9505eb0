/** What decides when to compact, besides the present size. */
export interface Growth {
  /** Size of the present snapshot: the best guess at what is live. */
  snapshotBytes: number;
  /** After a failed compaction: not before the log has grown to this. */
  retryAtBytes: number;
}

/** Every open begins a segment: many restarts with few records are compacted for their number. */
const MOST_SEGMENTS = 64;

/**
 * Whether the log has outgrown its live part: what came after the snapshot is larger than the snapshot and than one segment.
 * The directory then stays below three times the live part (old snapshot, log, new snapshot) and a few segments.
 */
export function compactionDue(growth: Growth, now: { bytes: number; segments: number }, segmentBytes: number): boolean {
  if (now.bytes < growth.retryAtBytes) return false;
  return (
    now.segments > MOST_SEGMENTS || now.bytes - growth.snapshotBytes > Math.max(segmentBytes, growth.snapshotBytes)
  );
}
