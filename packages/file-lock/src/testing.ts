import type { Hold } from './hold.js';

/** What a conformance case runs on: some way to lock, and a file that nobody else uses. */
export interface LockUnderTest {
  acquire(path: string, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<Hold>;
  file: string;
}

/** A rule that every lock of this package's shape must keep; `run` rejects if it does not. Free of any test runner. */
export interface LockCase {
  readonly name: string;
  run(make: () => Promise<LockUnderTest>): Promise<void>;
}

/** The conformance cases of a lock. */
export const lockCases: readonly LockCase[] = [
  {
    name: 'gives the lock to one at a time, in the order of the calls',
    async run(make) {
      const { acquire, file } = await make();
      const order: number[] = [];
      let inside = 0;
      const enter = async (n: number): Promise<void> => {
        const hold = await acquire(file);
        inside += 1;
        expect(inside === 1, 'two hold the lock at once');
        order.push(n);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        await hold.release();
      };
      await Promise.all([0, 1, 2, 3, 4].map(enter));
      expect(order.join() === '0,1,2,3,4', `the order was ${order.join()}`);
    },
  },
  {
    name: 'gives rising tokens',
    async run(make) {
      const { acquire, file } = await make();
      let last = 0;
      for (let n = 0; n < 3; n++) {
        const hold = await acquire(file);
        expect(hold.token > last, `token ${hold.token} after ${last}`);
        last = hold.token;
        await hold.release();
      }
    },
  },
  {
    name: 'rejects a waiter whose signal aborts with the reason, and lets the next one in',
    async run(make) {
      const { acquire, file } = await make();
      const hold = await acquire(file);
      const abort = new AbortController();
      const given = new Error('no longer needed');
      const aborted = acquire(file, { signal: abort.signal }).then(
        () => undefined,
        (error: unknown) => error,
      );
      const next = acquire(file);
      abort.abort(given);
      expect((await aborted) === given, 'the reason was not given back untouched');
      await hold.release();
      await (await next).release();
    },
  },
];

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
