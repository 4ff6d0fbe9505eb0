import { expect, it } from 'vitest';
import { newestEpoch, planFiles } from '../../src/layout.js';

const log = (segment: number): string => `${String(segment).padStart(10, '0')}.log`;
const snap = (segment: number): string => `${String(segment).padStart(10, '0')}.snap`;

it('[P5] comes to the same state after a crash at every step of a compaction', () => {
  const before = [log(1), log(2), log(3)];
  const steps = [
    { names: before, reads: [undefined, 1, 2, 3] },
    { names: [...before, `${snap(3)}.tmp`], reads: [undefined, 1, 2, 3] },
    { names: [...before, snap(3)], reads: [3, 3] },
    { names: [log(1), log(3), snap(3)], reads: [3, 3] },
    { names: [log(2), log(3), snap(3)], reads: [3, 3] },
    { names: [log(3), snap(3)], reads: [3, 3] },
  ];
  for (const { names, reads } of steps) {
    const plan = planFiles(names);
    expect([plan.snapshot, ...plan.logs]).toEqual(reads);
    expect(plan.missing).toEqual([]);
    const used = [...plan.logs.map(log), ...(plan.snapshot === undefined ? [] : [snap(plan.snapshot)])];
    expect([...used, ...plan.obsolete].sort()).toEqual([...names].sort());
  }
});

it('[P4] names every segment that should be there and is not', () => {
  expect(planFiles([log(1), log(3)]).missing).toEqual([2]);
  expect(planFiles([log(2)]).missing).toEqual([1]);
  expect(planFiles([snap(4), log(5)]).missing).toEqual([4]);
});

it('[P7] goes by the newest epoch and leaves names that it does not know alone', () => {
  expect(newestEpoch(['epoch-0000000002', 'owner.lock', 'epoch-0000000010', 'epoch-x'])).toBe(10);
  expect(newestEpoch(['damaged'])).toBeUndefined();
  expect(planFiles(['notes.txt', 'x.log'])).toEqual({ snapshot: undefined, logs: [], missing: [], obsolete: [] });
});
