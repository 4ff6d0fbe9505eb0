import type { Entry } from './entry.js';
import { isKbError, type KbErrorCode } from './errors.js';
import type { Kb } from './kb.js';
import { openKb } from './open-kb.js';
import type { KbStore } from './store.js';

/** What a conformance case needs of the driver under test: a place of its own. */
export interface ConformanceHarness {
  /** A store on the same place each time, so that opening it again is a restart. */
  store(): KbStore;
  /** Whether two may be open on that place at once. */
  shared: boolean;
}

/** One promise that every store keeps. `run` rejects when it is broken; it needs no test runner. */
export interface ConformanceCase {
  name: string;
  /** Only for stores that several instances share. */
  needsShared?: boolean | undefined;
  run(harness: ConformanceHarness): Promise<void>;
}

/** An entry with fields of any name. */
export type Loose = Entry & Record<string, unknown>;

const SOON_MS = 10_000;

export async function withKb<R, T extends Entry = Entry>(store: KbStore, use: (kb: Kb<T>) => Promise<R>): Promise<R> {
  const kb = await openKb<T>({ store });
  try {
    return await use(kb);
  } finally {
    await kb.close();
  }
}

export async function withTwo<T extends Entry = Entry>(
  store: () => KbStore,
  use: (one: Kb<T>, two: Kb<T>) => Promise<void>,
): Promise<void> {
  const shared = store();
  await withKb<void, T>(shared, (one) => withKb<void, T>(shared, (two) => use(one, two)));
}

export async function rejection(promise: Promise<unknown>, code: KbErrorCode) {
  const error: unknown = await promise.then(
    () => new Error(`resolved instead of ${code}`),
    (reason: unknown) => reason,
  );
  if (!isKbError(error, code)) throw error;
  return error;
}

/** Waits until an instance has `id` at `rev`. */
export function seen<T extends Entry>(kb: Kb<T>, id: string, rev: number): Promise<void> {
  return until(() => (kb.get(id)?.rev ?? 0) >= rev);
}

export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + SOON_MS;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${SOON_MS} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Everything that an asynchronous iteration gives. */
export async function all<V>(values: AsyncIterable<V>): Promise<V[]> {
  const list: V[] = [];
  for await (const value of values) list.push(value);
  return list;
}
