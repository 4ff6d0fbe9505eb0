import { type Entry, type Row, type Stored, storedOf } from './entry.js';
import { KbError } from './errors.js';
import { type ExactEntry, fromExact, toExact } from './exact-json.js';

/** How one entry of an import ended. */
export type ImportResult =
  | { readonly id: string; readonly ok: true; readonly rev: number }
  | { readonly id: string; readonly ok: false; readonly error: unknown };

/** Imports this many entries at once. Choice: a full bulk of the MongoDB store, a full group commit of the file store. */
const AT_ONCE = 64;

/** Entries that an export yields between two turns of the event loop. Choice. */
const EXPORT_SLICE = 500;

/** Puts each of `entries`, and tells of each in the order in which they came. */
export async function* importAll<T extends Entry>(
  entries: Iterable<T> | AsyncIterable<T>,
  put: (entry: T) => Promise<Stored<T>>,
): AsyncGenerator<ImportResult> {
  const running: Promise<ImportResult>[] = [];
  for await (const entry of entries) {
    const given = (entry as { id?: unknown } | null)?.id;
    const id = typeof given === 'string' ? given : '';
    const result = put(entry).then(
      ({ rev }): ImportResult => ({ id, ok: true, rev }),
      (error: unknown): ImportResult => ({ id, ok: false, error }),
    );
    running.push(result);
    if (running.length >= AT_ONCE) yield running.shift()!;
  }
  for (const result of running) yield result;
}

/** Every live row as readers get it, letting the event loop turn now and then. */
export async function* exportAll<T extends Entry>(rows: Iterable<Row>): AsyncGenerator<Stored<T>> {
  let count = 0;
  for (const row of rows) {
    if (!row.entry) continue;
    yield storedOf<T>(row);
    if (++count % EXPORT_SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One line of JSON for each entry, each ending in a newline; {@link fromJsonLines} reads them back exactly. */
export async function* toJsonLines<T extends Entry>(
  stored: Iterable<Stored<T>> | AsyncIterable<Stored<T>>,
): AsyncGenerator<string> {
  for await (const { entry, rev, updatedAt } of stored)
    yield `${JSON.stringify({ ...toExact(entry), rev, updatedAt })}\n`;
}

/**
 * The entries in what {@link toJsonLines} wrote, or in lines that are entries themselves. Memory is bounded by the longest line.
 *
 * @throws KbError `KB_INVALID_ENTRY` naming the line that is no JSON object.
 */
export async function* fromJsonLines<T extends Entry = Entry>(
  text: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  let number = 0;
  const parse = (line: string): T[] => {
    number++;
    if (line.trim() === '') return [];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new KbError('KB_INVALID_ENTRY', `line ${number} is no JSON`, { path: `line ${number}`, cause });
    }
    if (typeof value !== 'object' || value === null) {
      throw new KbError('KB_INVALID_ENTRY', `line ${number} is no object`, { path: `line ${number}` });
    }
    const exported = 'entry' in value && typeof value.entry === 'object' && 'rev' in value;
    return [(exported ? fromExact(value as unknown as ExactEntry) : value) as T];
  };
  for await (const chunk of text) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield* parse(line);
  }
  yield* parse(rest + decoder.decode());
}

/** The entries as a Markdown document, a section each. For people; it can't be read back. */
export async function* toMarkdown<T extends Entry>(
  stored: Iterable<Stored<T>> | AsyncIterable<Stored<T>>,
): AsyncGenerator<string> {
  yield '# Knowledge base\n';
  for await (const { entry, updatedAt } of stored) {
    const facts = [entry.category, ...(entry.tags ?? []).map((tag) => `#${tag}`), `updated ${updatedAt.slice(0, 10)}`];
    const title = entry.title.replaceAll(/\s+/g, ' ');
    yield `\n## ${title}\n\n\`${entry.id.replaceAll('`', "'")}\` · ${facts.filter(Boolean).join(' · ')}\n`;
    if (entry.body) yield `\n${entry.body.trimEnd()}\n`;
  }
}
