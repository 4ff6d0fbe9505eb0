import type { Clock } from '@holdfast/clock';
import { inSlices } from './slices.js';
import { add, remove, type State } from './state.js';
import type { OpenStore, StoreComparison } from './store.js';
import type { TextBuilder } from './text-builder.js';

/** How far {@link VerifyOptions} `onProgress` says a verification is. */
export interface VerifyProgress {
  readonly step: 'tag index' | 'category index' | 'text index' | 'store';
  /** Things looked at in this step. */
  readonly checked: number;
}

/** What `verify` takes. */
export interface VerifyOptions {
  /** Makes indexes, memory and store agree: the data is right over the indexes, the store over memory. @defaultValue false */
  repair?: boolean | undefined;
  /** Called between the slices of the work. */
  onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

/** What `verify` found. */
export interface VerifyReport {
  /** Nothing was wrong, or all of it was repaired. */
  readonly ok: boolean;
  readonly entries: number;
  /** Faults found in the tag and category indexes. */
  readonly tagFaults: number;
  /** Faults found in the text index. */
  readonly textFaults: number;
  /** What differs between memory and the store. */
  readonly store: StoreComparison;
  /** The first hundred faults, in words. */
  readonly faults: readonly string[];
  readonly repaired: boolean;
  readonly ms: number;
}

const MOST_FAULTS = 100;

/** Compares indexes with data and data with the store, in slices; safe while entries are written and read. */
export async function verify(
  { state, text, store, clock }: { state: State; text: TextBuilder; store: OpenStore; clock: Clock },
  { repair, onProgress, signal }: { repair: boolean; onProgress: VerifyOptions['onProgress']; signal: AbortSignal },
): Promise<VerifyReport> {
  const began = clock.monotonic();
  const faults: string[] = [];
  const found = (fault: string): void => {
    if (faults.length < MOST_FAULTS) faults.push(fault);
  };

  const told =
    (step: VerifyProgress['step']) =>
    (checked: number): void =>
      onProgress?.({ step, checked });

  let tagFaults = 0;
  for (const [name, index, keysOf] of [
    ['tag', state.tags, (id: string) => state.rows.get(id)?.entry?.tags ?? []],
    [
      'category',
      state.categories,
      (id: string) => [state.rows.get(id)?.entry?.category].filter((key) => key !== undefined),
    ],
  ] as const) {
    const tick = counter(told(`${name} index`));
    await inSlices(
      auditSets(index, state, keysOf),
      clock,
      (fault) => {
        tick();
        if (!fault) return;
        tagFaults++;
        found(`${name} '${fault.key}' ${fault.kind === 'missing' ? 'lacks' : 'still lists'} '${fault.id}'`);
        if (repair) (fault.kind === 'missing' ? add : remove)(index, fault.key, fault.id);
      },
      signal,
    );
  }

  let textFaults = 0;
  const index = text.index;
  if (index) {
    const tick = counter(told('text index'));
    await inSlices(
      index.audit(
        (id) => state.rows.get(id)?.entry,
        () => state.rows.keys(),
      ),
      clock,
      (fault) => {
        tick();
        if (fault === undefined) return;
        textFaults++;
        found(`text index: ${fault}`);
      },
      signal,
    );
    if (repair && textFaults > 0) text.dirty(`verify found ${textFaults} faults`);
  }

  const comparison = await store.compare({ repair, signal, onProgress: told('store') });
  for (const id of comparison.differing) found(`'${id}' differs from the store`);
  for (const id of comparison.missing) found(`'${id}' is in the store and not in memory`);
  for (const id of comparison.extra) found(`'${id}' is in memory and not in the store`);
  const total =
    tagFaults + textFaults + comparison.differing.length + comparison.missing.length + comparison.extra.length;
  return {
    ok: total === 0 || repair,
    entries: state.live,
    tagFaults,
    textFaults,
    store: comparison,
    faults,
    repaired: repair && total > 0,
    ms: Math.round(clock.monotonic() - began),
  };
}

/** Things looked at between two calls of `onProgress`. Choice. */
const TOLD_EACH = 1_000;

function counter(tell: (checked: number) => void): () => void {
  let checked = 0;
  return () => {
    if (++checked % TOLD_EACH === 0) tell(checked);
  };
}

interface SetFault {
  readonly kind: 'missing' | 'extra';
  readonly key: string;
  readonly id: string;
}

/** Each step looks at one id and the rows of that moment, so that writes meanwhile are no faults. */
function* auditSets(
  index: ReadonlyMap<string, Set<string>>,
  state: State,
  keysOf: (id: string) => readonly string[],
): Generator<SetFault | undefined> {
  for (const id of state.rows.keys()) {
    for (const key of keysOf(id)) if (!index.get(key)?.has(id)) yield { kind: 'missing', key, id };
    yield undefined;
  }
  for (const [key, ids] of index) {
    for (const id of ids) yield keysOf(id).includes(key) ? undefined : { kind: 'extra', key, id };
  }
}
