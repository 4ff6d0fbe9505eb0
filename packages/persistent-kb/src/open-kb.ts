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
 * @throws TypeError for bad options, synchronously. KbError `KB_START`.
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
  const stopStarting = new AbortController();
  const kb = new LiveKb<T>(options, emit);
  try {
    kb.start(await withinTime(store.open(kb.contextFor(stopStarting.signal)), options, stopStarting));
  } catch (error) {
    kb.abandon();
    const failure = isKbError(error, 'KB_START') ? error : startError('store', store.name, error);
    emit({ type: 'kb.start-failed', store: store.name, kind: failure.kind ?? 'store', reason: failure.message });
    throw failure;
  }
  const ms = Math.round(clock.monotonic() - began);
  emit({ type: 'kb.opened', store: store.name, entries: kb.stats().entries, ms });
  return kb;

  function withinTime(
    opening: Promise<OpenStore>,
    { startTimeoutMs }: ResolvedOptions,
    controller: AbortController,
  ): Promise<OpenStore> {
    return new Promise((resolve, reject) => {
      let late = false;
      const cancel = clock.schedule(
        startTimeoutMs,
        () => {
          late = true;
          const error = startError('timeout', store.name, `not open after ${startTimeoutMs / 1000} s`);
          controller.abort(error);
          reject(error);
        },
        { ref: true },
      );
      opening.then(
        (opened) => {
          cancel();
          if (!late) return resolve(opened);
          // It came too late for the caller: nothing may stay open behind.
          opened.close().catch((error: unknown) => {
            emit({ type: 'kb.start-failed', store: store.name, kind: 'timeout', reason: messageOf(error) });
          });
        },
        (error: unknown) => {
          cancel();
          reject(error);
        },
      );
    });
  }
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
