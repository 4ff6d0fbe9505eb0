import { createEmitter } from '@holdfast/observe';
import type { Entry } from './entry.js';
import { isKbError, KbError, type KbStartKind, messageOf } from './errors.js';
import type { KbEvent } from './events.js';
import type { Kb } from './kb.js';
import { LiveKb } from './live-kb.js';
import { type KbOptions, type ResolvedOptions, resolveOptions } from './options.js';
import type { OpenStore } from './store.js';

/**
 * Opens a knowledge base: connects, loads everything into memory, and resolves when it can be read and written.
 *
 * Guarantees: every write that was acknowledged is there; a store that can't be used rejects within `startTimeoutMs`, with
 * its kind, and leaves nothing that keeps the process alive. Does not guarantee that the text index is complete: it is
 * built behind, and text queries answer by a scan until it is.
 *
 * @throws TypeError for bad options, synchronously. KbError `KB_START`; `signal.reason`, untouched.
 * @example
 * ```ts
 * const kb = await openKb({ store: fileStore({ dir: './data/kb' }) });
 * await kb.put({ id: 'disk-full', title: 'Disk full on node 1', tags: ['disk'], body: 'journald had no limit' });
 * kb.query({ text: 'disk', any: ['disk'] }).hits;
 * ```
 */
export function openKb<T extends Entry = Entry>(options: KbOptions): Promise<Kb<T>> {
  return open<T>(resolveOptions(options));
}

async function open<T extends Entry>(options: ResolvedOptions): Promise<Kb<T>> {
  const { store, clock } = options;
  const emit = createEmitter<KbEvent>('persistent-kb', options.onEvent);
  const began = clock.monotonic();
  const giveUp = new AbortController();
  const kb = new LiveKb<T>(options, emit);
  try {
    options.signal?.throwIfAborted();
    kb.start(await opened(() => store.open(kb.contextFor(giveUp.signal)), options, giveUp, emit));
  } catch (error) {
    kb.abandon();
    if (options.signal?.aborted && error === options.signal.reason) throw error;
    const failure = isKbError(error, 'KB_START') ? error : startError('store', store.name, error);
    emit({ type: 'kb.start-failed', store: store.name, kind: failure.kind ?? 'store', reason: failure.message });
    throw failure;
  }
  const ms = Math.round(clock.monotonic() - began);
  emit({ type: 'kb.opened', store: store.name, entries: kb.stats().entries, ms });
  return kb;
}

/** What `open` comes to, unless time is up or the caller gives up first: then `giveUp` aborts, and what opens late is closed. */
function opened(
  open: () => Promise<OpenStore>,
  { store, clock, startTimeoutMs, signal }: ResolvedOptions,
  giveUp: AbortController,
  emit: (event: KbEvent) => void,
): Promise<OpenStore> {
  return new Promise((resolve, reject) => {
    const end = (reason: unknown): void => {
      leave();
      giveUp.abort(reason);
      reject(reason);
    };
    const onAbort = (): void => end(signal?.reason);
    const overdue = (): void => end(startError('timeout', store.name, `not open after ${startTimeoutMs / 1000} s`));
    const cancel = clock.schedule(startTimeoutMs, overdue, { ref: true });
    const leave = (): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    open().then(
      (late) => {
        leave();
        if (!giveUp.signal.aborted) return resolve(late);
        // Nobody waits for it any more: nothing may stay open behind.
        late.close().catch((error: unknown) => {
          emit({ type: 'kb.start-failed', store: store.name, kind: 'timeout', reason: messageOf(error) });
        });
      },
      (error: unknown) => {
        leave();
        reject(error);
      },
    );
  });
}

/** Why the knowledge base at `name` could not be opened. */
export function startError(
  kind: KbStartKind,
  name: string,
  cause: unknown,
  facts: { pid?: number | undefined; host?: string | undefined } = {},
): KbError {
  const error = typeof cause === 'string' ? undefined : cause;
  return new KbError('KB_START', `${name} can't be opened: ${messageOf(cause)}`, { kind, cause: error, ...facts });
}
