import { canonical, checkId, tooLarge } from './canonical.js';
import type { Change } from './changes.js';
import { Feed } from './changes.js';
import { type Entry, priorOf, type Row, type Stored, storedOf } from './entry.js';
import { KbError } from './errors.js';
import type { KbEvent } from './events.js';
import { HealthKeeper, type KbHealth } from './health.js';
import type { Kb, KbStats, PutOptions } from './kb.js';
import { checkOpId, operationIds, RememberedOperations } from './operations.js';
import { bad, DEFAULTS, type ResolvedOptions } from './options.js';
import { Poisoned } from './poisoned.js';
import { type Query, type QueryResult, runQuery } from './query.js';
import { alreadyWritten, checkIfRev, checkRev } from './revisions.js';
import { matchingOf } from './score.js';
import { type Replacement, State } from './state.js';
import type { OpenStore, StoreContext } from './store.js';
import { TextBuilder } from './text-builder.js';
import { exportAll, type ImportResult, importAll } from './transfer.js';
import { type VerifyOptions, type VerifyReport, verify } from './verify.js';
import { type Plan, Writer } from './writer.js';

/** The knowledge base itself: state, text index, writer and store, put together. */
export class LiveKb<T extends Entry> implements Kb<T> {
  readonly #options: ResolvedOptions;
  readonly #emit: (event: KbEvent) => void;
  readonly #state = new State();
  readonly #text: TextBuilder;
  readonly #feed = new Feed<T>();
  readonly #poisoned: Poisoned;
  readonly #health: HealthKeeper;
  readonly #operations = new RememberedOperations();
  readonly #nextOp = operationIds();
  readonly #verifying = new AbortController();
  #open: { store: OpenStore; writer: Writer } | undefined;
  #closing: Promise<void> | undefined;
  #lastVerifiedAt: string | undefined;
  #writes = 0;
  #queries = 0;

  constructor(options: ResolvedOptions, emit: (event: KbEvent) => void) {
    this.#options = options;
    this.#emit = emit;
    this.#poisoned = new Poisoned(emit);
    this.#health = new HealthKeeper(emit);
    this.#text = new TextBuilder(this.#state, matchingOf(options.text), options.clock, {
      ready: (ms) => emit({ type: 'kb.text-indexed', entries: this.#state.live, ms: Math.round(ms) }),
      dirty: (reason) => emit({ type: 'kb.index-dirtied', reason }),
    });
  }

  /** What the store fills it through. */
  contextFor(signal: AbortSignal): StoreContext {
    const { clock, startTimeoutMs, onDamage, onPoison, onProgress } = this.#options;
    let lastProgress = Number.NEGATIVE_INFINITY;
    return {
      clock,
      startTimeoutMs,
      onDamage,
      signal,
      apply: (row) => this.#apply(row),
      forget: (id, seen) => this.#forget(id, seen),
      poison: (id, reason) => {
        if (onPoison === 'fail' && !this.#open) {
          const message = `the stored entry '${id}' can't be read: ${reason}. Repair it, or open with onPoison: 'quarantine'`;
          throw new KbError('KB_START', message, { kind: 'poison', id });
        }
        this.#poisoned.add(id, reason);
      },
      isPoisoned: (id) => this.#poisoned.has(id),
      rows: () => this.#state.rows.values(),
      row: (id) => this.#state.rows.get(id),
      progress: (progress) => {
        const now = clock.monotonic();
        // Twice as often as promised; the first and the last always.
        if (now - lastProgress < 125 && progress.loaded !== progress.total) return;
        lastProgress = now;
        onProgress?.(progress);
      },
      health: (change) => this.#health.hear(change),
      emit: this.#emit,
    };
  }

  /** Begins to serve. */
  start(store: OpenStore): void {
    const { clock, random, writeTimeoutMs } = this.#options;
    const writer = new Writer(store, {
      clock,
      random,
      writeTimeoutMs,
      row: (id) => this.#state.rows.get(id),
      apply: (row) => this.#apply(row),
      forget: (id, seen) => this.#forget(id, seen),
      emit: this.#emit,
    });
    this.#open = { store, writer };
    if (this.#health.reported.state === 'loading') this.#health.hear({ state: 'ready' });
    this.#text.start();
  }

  /** Lets go of what a failed start left. */
  abandon(): void {
    this.#text.stop();
    this.#health.close();
  }

  get(id: string): Stored<T> | undefined {
    const row = this.#state.rows.get(id);
    return row?.entry ? storedOf<T>(row) : undefined;
  }

  query(query: Query): QueryResult<T> {
    this.#queries++;
    return runQuery<T>(query, this.#state, this.#text, matchingOf(this.#options.text).tokenize);
  }

  async put(given: T, { ifRev, opId }: PutOptions = {}): Promise<Stored<T>> {
    checkOpId(opId);
    checkIfRev(ifRev, true);
    const entry = canonical(given, this.#options.maxEntryBytes);
    const op = opId ?? this.#nextOp();
    let first: Stored<T> | undefined;
    const row = await this.#write(entry.id, op, (current) => {
      if (opId !== undefined) {
        first = (this.#operations.get(entry.id, opId) as Stored<T> | undefined) ?? alreadyWritten(current, op, entry);
        if (first) return { already: undefined };
      }
      checkRev(entry.id, current, ifRev);
      return { write: this.#rowOf(entry, current, op) };
    });
    if (first) return first;
    const stored = storedOf<T>(row!);
    if (opId !== undefined) this.#operations.set(entry.id, opId, stored);
    return stored;
  }

  async patch(id: string, fn: (stored: Stored<T>) => T | Promise<T>): Promise<Stored<T>> {
    checkId(id);
    if (typeof fn !== 'function') throw bad('fn', 'be a function', fn);
    const op = this.#nextOp();
    const row = await this.#write(id, op, async (current) => {
      if (!current?.entry) throw new KbError('KB_NOT_FOUND', `there is no entry '${id}'`, { id });
      const entry = canonical(await fn(storedOf<T>(current)), this.#options.maxEntryBytes);
      if (entry.id !== id) {
        throw new KbError('KB_INVALID_ENTRY', `patch of '${id}' must not change the id to '${entry.id}'`, {
          id,
          path: 'id',
        });
      }
      return { write: this.#rowOf(entry, current, op) };
    });
    return storedOf<T>(row!);
  }

  async delete(id: string, { ifRev }: { ifRev?: number | undefined } = {}): Promise<boolean> {
    checkId(id);
    checkIfRev(ifRev, false);
    const op = this.#nextOp();
    const at = this.#options.clock.now();
    const row = await this.#write(id, op, (current) => {
      checkRev(id, current, ifRev);
      if (!current?.entry) return { already: undefined };
      return {
        write: { id, rev: current.rev + 1, op, prior: priorOf(current), at, purgeAt: at + DEFAULTS.tombstoneMs },
      };
    });
    return row !== undefined;
  }

  import(entries: Iterable<T> | AsyncIterable<T>): AsyncIterable<ImportResult> {
    return importAll(entries, (entry) => this.put(entry));
  }

  export(): AsyncGenerator<Stored<T>> {
    return exportAll<T>(this.#state.rows.values());
  }

  changes({ signal }: { signal?: AbortSignal | undefined } = {}): AsyncIterable<Change<T>> {
    return this.#feed.subscribe(signal);
  }

  async verify({ repair = false, onProgress }: VerifyOptions = {}): Promise<VerifyReport> {
    const open = this.#open;
    if (!open || this.#closing) throw closed();
    const { clock } = this.#options;
    const surroundings = { state: this.#state, text: this.#text, store: open.store, clock };
    let result: VerifyReport;
    try {
      result = await verify(surroundings, { repair, onProgress, signal: this.#verifying.signal });
    } catch (cause) {
      if (this.#closing) throw closed();
      throw new KbError('KB_STORE_FAILED', 'the store could not be compared with memory', { cause });
    }
    if (result.ok) this.#lastVerifiedAt = new Date(clock.now()).toISOString();
    return result;
  }

  stats(): KbStats {
    return {
      entries: this.#state.live,
      tombstones: this.#state.rows.size - this.#state.live,
      tags: this.#state.tags.size,
      categories: this.#state.categories.size,
      writes: this.#writes,
      conflicts: this.#open?.writer.conflicts ?? 0,
      pending: this.#open?.writer.pending ?? 0,
      inDoubt: this.#open?.writer.inDoubt ?? 0,
      queries: this.#queries,
      quarantined: this.#poisoned.size,
    };
  }

  health(): KbHealth {
    return {
      ...this.#health.reported,
      entries: this.#state.live,
      inDoubt: this.#open?.writer.inDoubt ?? 0,
      quarantined: this.#poisoned.size,
      textIndex: this.#text.progress,
      lastVerifiedAt: this.#lastVerifiedAt,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#verifying.abort(closed());
    await this.#open?.writer.close();
    this.#text.stop();
    await this.#open?.store.close();
    this.#feed.close();
    this.#health.close();
    this.#emit({ type: 'kb.closed', store: this.#options.store.name });
  }

  #rowOf(entry: T, current: Row | undefined, op: string): Row {
    const row: Row = {
      id: entry.id,
      rev: (current?.rev ?? 0) + 1,
      op,
      prior: priorOf(current),
      at: this.#options.clock.now(),
      entry,
    };
    const over = this.#open?.store.oversize?.(row);
    if (over) throw tooLarge(entry.id, over.bytes, over.maxBytes);
    return row;
  }

  async #write(
    id: string,
    op: string,
    plan: (current: Row | undefined) => Plan | Promise<Plan>,
  ): Promise<Row | undefined> {
    if (!this.#open || this.#closing) throw closed();
    const row = await this.#open.writer.write(id, op, (current) => {
      this.#poisoned.refuse(id);
      return plan(current);
    });
    if (row) this.#writes++;
    return row;
  }

  #apply(row: Row): void {
    this.#poisoned.clear(row.id);
    this.#changed(this.#state.apply(row, this.#options.clock.now()));
  }

  #forget(id: string, seen: Row | undefined): void {
    this.#poisoned.clear(id);
    this.#changed(this.#state.forget(id, seen));
  }

  #changed(replacement: Replacement | undefined): void {
    if (!replacement) return;
    this.#text.apply(replacement);
    if (this.#feed.isIdle) return;
    const { id, before, after } = replacement;
    if (after) this.#feed.publish({ type: 'put', id, rev: after.rev, stored: storedOf<T>(after) });
    else if (before) this.#feed.publish({ type: 'delete', id, rev: before.rev + 1 });
  }
}

function closed(): KbError {
  return new KbError('KB_CLOSED', 'the knowledge base is closed: open another');
}
