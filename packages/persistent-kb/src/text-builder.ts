import type { Clock } from '@holdfast/clock';
import type { Entry } from './entry.js';
import { messageOf } from './errors.js';
import type { Matching } from './score.js';
import type { Replacement, State } from './state.js';
import { TextIndex } from './text-index.js';
import { scanText } from './text-scan.js';

/** How long one slice of building holds the event loop, milliseconds. Choice: a fifth of what we promise at most. */
const SLICE_MS = 10;
/** The same while the old index still answers: nobody waits for the new one, and writes go on meanwhile. Choice. */
const RENEWAL_SLICE_MS = 2;
/** Entries between two looks at the clock. */
const SLICE_STEP = 16;

/**
 * - `building`: no index that can be trusted; queries scan. A tokenizer that throws keeps it here, and it starts over.
 * - `ready`: the index covers every entry.
 * - `renewing`: the index is right but worn; the next one is built beside it.
 */
type Phase =
  | { name: 'building'; next: TextIndex }
  | { name: 'ready'; index: TextIndex }
  | { name: 'renewing'; index: TextIndex; next: TextIndex };

/** Keeps the text index in step with the state, and builds it in slices that leave the event loop free. */
export class TextBuilder {
  readonly #state: State;
  readonly #matching: Matching;
  readonly #clock: Clock;
  readonly #onReady: (ms: number) => void;
  readonly #onDirty: (reason: string) => void;
  #phase: Phase;
  #run = 0;
  #stopped = false;
  #started = false;

  constructor(
    state: State,
    matching: Matching,
    clock: Clock,
    on: { ready(ms: number): void; dirty(reason: string): void },
  ) {
    this.#state = state;
    this.#matching = matching;
    this.#clock = clock;
    this.#onReady = on.ready;
    this.#onDirty = on.dirty;
    this.#phase = { name: 'building', next: new TextIndex(matching) };
  }

  /** Begins to build; until then changes cost nothing. */
  start(): void {
    this.#started = true;
    this.#build(this.#phase.name === 'building' ? this.#phase.next : new TextIndex(this.#matching));
  }

  stop(): void {
    this.#stopped = true;
    this.#run++;
  }

  get progress(): { state: 'building' | 'ready'; indexed: number } {
    const phase = this.#phase;
    if (phase.name === 'building') return { state: 'building', indexed: phase.next.size };
    return { state: 'ready', indexed: phase.index.size };
  }

  /** Follows one change. Never throws. */
  apply(change: Replacement): void {
    if (!this.#started || this.#stopped) return;
    try {
      const phase = this.#phase;
      if (phase.name !== 'building') follow(phase.index, change);
      if (phase.name !== 'ready') follow(phase.next, change);
      if (phase.name === 'ready' && phase.index.isWorn) {
        const next = new TextIndex(this.#matching);
        this.#phase = { name: 'renewing', index: phase.index, next };
        this.#build(next);
      }
    } catch (error) {
      this.dirty(messageOf(error));
    }
  }

  /** Gives the index up and builds it anew. */
  dirty(reason: string): void {
    this.#onDirty(reason);
    const next = new TextIndex(this.#matching);
    this.#phase = { name: 'building', next };
    this.#build(next);
  }

  /** Every entry with one of `terms`, from the index when it is right, else by a scan. */
  search(terms: readonly string[], hit: (id: string, score: number) => void): void {
    const phase = this.#phase;
    if (phase.name === 'building') scanText(this.#entries(), terms, this.#matching, hit);
    else phase.index.search(terms, this.#state.live, hit);
  }

  /** The index that answers, for checks; undefined while a scan does. */
  get index(): TextIndex | undefined {
    return this.#phase.name === 'building' ? undefined : this.#phase.index;
  }

  *#entries(): Generator<readonly [string, Entry]> {
    for (const row of this.#state.rows.values()) if (row.entry) yield [row.id, row.entry];
  }

  /** Fills `next` in slices. Changes are followed meanwhile, so what is there already is right. */
  #build(next: TextIndex): void {
    const run = ++this.#run;
    const began = this.#clock.monotonic();
    const rows = this.#state.rows.values();
    const sliceMs = this.#phase.name === 'renewing' ? RENEWAL_SLICE_MS : SLICE_MS;
    let pause = 0;
    const slice = (): void => {
      if (run !== this.#run) return;
      try {
        const end = this.#clock.monotonic() + sliceMs;
        for (let n = 0; n % SLICE_STEP !== 0 || this.#clock.monotonic() < end; n++) {
          const { value: row, done } = rows.next();
          if (done) {
            this.#phase = { name: 'ready', index: next };
            this.#onReady(this.#clock.monotonic() - began);
            return;
          }
          if (row.entry && !next.has(row.id)) next.add(row.id, row.entry);
        }
      } catch (error) {
        // A tokenizer that throws for one entry throws again: come back later, queries scan until it does not.
        this.#onDirty(messageOf(error));
        const again = new TextIndex(this.#matching);
        this.#phase = { name: 'building', next: again };
        pause = 1000;
        this.#clock.schedule(pause, () => run === this.#run && !this.#stopped && this.#build(again));
        return;
      }
      setImmediate(slice);
    };
    setImmediate(slice);
  }
}

function follow(index: TextIndex, { id, before, after }: Replacement): void {
  if (before?.entry) index.remove(id, before.entry);
  if (after?.entry) index.add(id, after.entry);
}
