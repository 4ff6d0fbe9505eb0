import type { Protocol } from '../protocol.js';

/** Five bugs, each a wrong step of the protocol: a simulation that does not find them finds nothing. */
export const PLANTED_BUGS = {
  /** Appends are acknowledged before any fsync. */
  'acknowledge before fsync': { makeDurable: () => Promise.resolve() },
  /** Names are never made durable. */
  'missing directory sync': { makeNamesDurable: () => Promise.resolve() },
  /** What a crash left behind the last good line stays in the file. */
  'uncut tail': { keptBytes: ({ goodBytes, tornBytes }) => goodBytes + tornBytes },
  /** A compaction writes all batches of the snapshot but the second. */
  'compaction drops a batch': { snapshotSlice: (lines, slice) => (slice === 1 ? '' : lines.join('')) },
  /** An owner that was replaced after its check, or never checked, resolves what its successor has not read. */
  'resolve after the seal': { confirmOwned: () => undefined },
} as const satisfies Record<string, Partial<Protocol>>;
