import type { Delivery } from '@holdfast/alert-delivery';
import { type FileLockEvent, updateFile } from '@holdfast/file-lock';
import { type Entry, isKbError, type Kb, type Stored } from '@holdfast/persistent-kb';
import { notificationsOf } from './alert-history.js';
import { byName, type Happening, type Incident, incidentId, isIncident, learn } from './incident.js';
import { lastFix } from './knowledge.js';
import { type MemoryLine, memoryLine, withLines } from './memory-section.js';

/** What one run did. */
export interface ConsolidationReport {
  /** Notifications that were looked at. */
  notifications: number;
  /** Entries that were written, by id. */
  entries: string[];
  /** Whether MEMORY.md changed. */
  memoryChanged: boolean;
}

/** What `createConsolidation` needs; the stores are asked for when a run begins. */
export interface ConsolidationParts {
  readonly kb: () => Kb<Entry>;
  readonly delivery: () => Delivery;
  readonly memoryPath: string;
  /** How long to wait for others who write MEMORY.md. */
  readonly lockTimeoutMs: number;
  readonly onLockEvent: (event: FileLockEvent) => void;
  /** Told how each run ended. */
  readonly onRun: (outcome: 'done' | 'failed') => void;
}

/** Turns what happened into incident entries and MEMORY.md. */
export interface Consolidation {
  /** One run at a time; a call during a run gets the next one, which sees all that was accepted before the call. */
  run(): Promise<ConsolidationReport>;
}

/** A notification's fate settles well within this; later ones stay counted as pending. */
const LOOK_BACK_MS = 15 * 60_000;
/** Lines in MEMORY.md, besides the names of this run. Choice: a page. */
const MEMORY_LINES = 50;

/** Creates the consolidation. Runs in several processes at once lose nothing and count nothing twice. */
export function createConsolidation(parts: ConsolidationParts): Consolidation {
  let since = 0;
  let current: Promise<unknown> = Promise.resolve();
  let next: Promise<ConsolidationReport> | undefined;

  async function consolidate(): Promise<ConsolidationReport> {
    next = undefined;
    const startedAt = Date.now();
    const happenings: Happening[] = [];
    for await (const happening of notificationsOf(parts.delivery(), since)) happenings.push(happening);
    const names = byName(happenings);
    const entries: string[] = [];
    for (const [name, list] of names) {
      if (await remember(parts.kb(), name, list)) entries.push(incidentId(name));
    }
    const lines = await linesToShow(parts.kb(), new Set([...names.keys()].map(incidentId)), startedAt);
    const { changed } = await updateFile(parts.memoryPath, (text) => withLines(text, lines, startedAt), {
      timeoutMs: parts.lockTimeoutMs,
      onEvent: parts.onLockEvent,
    });
    // Only now: a run that failed is looked at again.
    since = startedAt - LOOK_BACK_MS;
    return { notifications: happenings.length, entries, memoryChanged: changed };
  }

  return {
    run() {
      if (next) return next;
      const run = current.then(consolidate, consolidate);
      run.then(
        () => parts.onRun('done'),
        () => parts.onRun('failed'),
      );
      next = run;
      current = run;
      return run;
    },
  };
}

/** Adds happenings to the entry of their name. @returns whether anything was new. */
async function remember(kb: Kb<Entry>, name: string, happenings: readonly Happening[]): Promise<boolean> {
  const id = incidentId(name);
  for (;;) {
    const before = kb.get(id);
    const after = learn(before?.entry, name, happenings);
    if (after === before?.entry) return false;
    try {
      await kb.put(after, { ifRev: before?.rev ?? 'absent' });
      return true;
    } catch (error) {
      // Somebody else wrote it meanwhile: learn again from what they wrote.
      if (!isKbError(error, 'KB_CONFLICT')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function linesToShow(kb: Kb<Entry>, always: ReadonlySet<string>, now: number): Promise<MemoryLine[]> {
  const incidents: Stored<Incident>[] = [];
  for await (const stored of kb.export()) if (isIncident(stored.entry)) incidents.push(stored as Stored<Incident>);
  incidents.sort((a, b) => (a.entry.lastSeen < b.entry.lastSeen ? 1 : -1));
  const shown = incidents.filter(({ entry }, at) => at < MEMORY_LINES || always.has(entry.id));
  return shown.map(({ entry, rev }) => memoryLine(entry, rev, now, entry.fix ?? lastFix(kb, entry.alertname)?.text));
}
