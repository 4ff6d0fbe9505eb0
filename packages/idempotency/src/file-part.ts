import { isJournalError } from '@holdfast/journal';
import { type Claim, type ClaimRequest, claimOf, decideClaim, type KeyRecord, renewRecord } from './decide.js';
import { IdempotencyError } from './errors.js';
import type { FileEntry, FileState } from './file-log.js';
import type { RecordTable } from './record-table.js';
import { type OpenStore, snapshotOf } from './store.js';

type Change = FileEntry extends infer E ? (E extends FileEntry ? Omit<E, 'ns' | 'k' | 'at' | 'w'> : never) : never;

/** One namespace of a file store. */
export class FilePart implements OpenStore {
  readonly #state: FileState;
  readonly #namespace: string;
  readonly #table: RecordTable;
  readonly #close: () => Promise<void>;

  constructor(state: FileState, namespace: string, close: () => Promise<void>) {
    this.#state = state;
    this.#namespace = namespace;
    this.#table = state.tableOf(namespace);
    this.#close = close;
  }

  /** Decided in one turn, after what is being written for the key: a settle on its way to the disk must not be overtaken. */
  async claim(key: string, request: ClaimRequest): Promise<Claim> {
    const { journal, now, writing } = this.#state;
    const place = this.#place(key);
    for (let before = writing.get(place); before; before = writing.get(place)) await before;
    const at = now();
    const before = this.#table.get(key);
    const decision = decideClaim(before, request, at);
    if (decision.verdict === 'done' && journal.failure) throw failed(journal.failure);
    if (decision.verdict !== 'mine' || decision.record === before) return claimOf(decision);
    this.#table.set(key, decision.record, before);
    const { run, expiresAt } = decision.record;
    try {
      await this.#append(this.#entry(key, at, { op: 'claim', run: run!, expiresAt }));
    } catch (error) {
      this.#undo(key, request.token, before);
      throw error;
    }
    return claimOf(decision);
  }

  /** Leases live in memory: at the next open their owner is dead whatever they say. */
  renew(key: string, token: string, leaseMs: number, keepMs: number): boolean {
    const record = renewRecord(this.#table.get(key), token, leaseMs, keepMs, this.#state.now());
    if (record) this.#table.set(key, record);
    return record !== undefined;
  }

  settle(key: string, token: string, value: string, ttlMs: number): Promise<boolean> {
    return this.#change(key, token, { op: 'settle', token, value, ttlMs });
  }

  release(key: string, token: string, keepMs: number): Promise<boolean> {
    return this.#change(key, token, { op: 'release', token, keepMs });
  }

  step(key: string, token: string, name: string, value: string): Promise<boolean> {
    return this.#change(key, token, { op: 'step', token, name, value });
  }

  peek(key: string): ReturnType<OpenStore['peek']> {
    return snapshotOf(this.#table.get(key), this.#state.now());
  }

  async forget(key: string): Promise<boolean> {
    if (this.#table.get(key) === undefined) return false;
    return this.#write(key, { op: 'forget' });
  }

  stats(): ReturnType<OpenStore['stats']> {
    return this.#table.stats;
  }

  ping(): void {
    const { failure } = this.#state.journal;
    if (failure) throw failed(failure);
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #change(key: string, token: string, change: Change): Promise<boolean> {
    const run = this.#table.get(key)?.run;
    if (!run || run.token !== token || run.until === 0) return false;
    return this.#write(key, change);
  }

  /** Resolves with whether the change was still possible when it was its turn. */
  async #write(key: string, change: Change): Promise<boolean> {
    const { writing, applied } = this.#state;
    const place = this.#place(key);
    const w = this.#state.nextWrite();
    const entry = this.#entry(key, this.#state.now(), { ...change, w });
    const appended = this.#append(entry);
    const told = appended.catch(() => undefined); // rejected below, for who asked for the change
    writing.set(place, told);
    try {
      await appended;
    } finally {
      if (writing.get(place) === told) writing.delete(place);
    }
    return applied.delete(w);
  }

  #place(key: string): string {
    return `${this.#namespace}\n${key}`;
  }

  #entry(key: string, at: number, change: Change & { w?: number }): FileEntry {
    return { ns: this.#namespace, k: key, at, ...change } as FileEntry;
  }

  async #append(entry: FileEntry): Promise<void> {
    try {
      await this.#state.journal.append(entry);
    } catch (error) {
      if (isJournalError(error, 'JOURNAL_TOO_LARGE')) {
        const message = `the result is too large for the store: ${error.message}`;
        throw new IdempotencyError('IDEMPOTENCY_INVALID_VALUE', message, { path: '$' }, { cause: error });
      }
      throw failed(error);
    }
  }

  /** A claim that could not be written did not happen. */
  #undo(key: string, token: string, before: KeyRecord | undefined): void {
    if (this.#table.get(key)?.run?.token !== token) return;
    if (before) this.#table.set(key, before);
    else this.#table.delete(key);
  }
}

function failed(cause: unknown): IdempotencyError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new IdempotencyError(
    'IDEMPOTENCY_STORE_FAILED',
    `the idempotency log can't be written: ${reason}`,
    {},
    { cause },
  );
}
