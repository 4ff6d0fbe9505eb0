import type { Snapshot } from './idempotency.js';
import type { KeySnapshot } from './store.js';
import { decodeValue } from './value.js';

/** What `peek` shows of what a store has. */
export function snapshotFor(found: KeySnapshot, lane: boolean): Snapshot {
  const { run, last, now } = found;
  return {
    status: run ? (now < run.until ? 'running' : 'interrupted') : 'settled',
    attempt: run?.attempt ?? last?.attempt ?? 0,
    id: run?.id,
    steps: run?.steps.map((step) => step[0]) ?? [],
    value: last && decodeValue(last.value),
    state: lane ? (run?.state ?? last?.state) : undefined,
    expiresInMs: found.expiresAt - now,
  };
}
