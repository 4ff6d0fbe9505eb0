import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { type Clock, systemClock } from '@holdfast/clock';
import { isKbError, messageOf } from './errors.js';
import { fileStore } from './file-store.js';
import type { Kb } from './kb.js';
import { openKb } from './open-kb.js';
import type { KbStore, LoadProgress } from './store.js';
import { fromJsonLines, toJsonLines, toMarkdown } from './transfer.js';

const USAGE = `usage: persistent-kb <command> <folder | mongodb://…>

  verify   compares the indexes with the data, and the data with the database      --repair: makes them agree
  export   writes every entry to standard output                                   --format jsonl (default) | markdown
  import   puts every entry of a file, or of standard input                        --from <file>
  stats    counts entries, tags and categories

  --collection <name>   in MongoDB; knowledge_base otherwise
  --quarantine          sets damage in the folder's log aside instead of refusing to open

Exit codes: 0 done, 1 something is wrong with the data or an entry was refused, 2 it could not be done.
`;

/** Where a command reads and writes: `process`, or what a test gives. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** Runs one command of the command line and resolves with its exit code. Never rejects. */
export async function runCommand(argv: readonly string[], io: Surroundings): Promise<number> {
  const tell = (line: string): void => void io.stderr.write(`${line}\n`);
  let request: Request;
  try {
    request = parse(argv);
  } catch (error) {
    tell(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  const progress = teller(tell, systemClock);
  try {
    const kb = await openKb({
      store: await storeOf(request),
      onProgress: (at) => progress(loading(at)),
      onDamage: request.quarantine ? 'quarantine' : 'refuse',
    });
    try {
      return await COMMANDS[request.command](kb, request, io, progress);
    } finally {
      await kb.close();
    }
  } catch (error) {
    // Whoever reads the output has had enough, as in `export … | head`.
    if ((error as { code?: unknown }).code === 'EPIPE') return 0;
    tell(messageOf(error));
    const damaged = isKbError(error, 'KB_START') && error.kind === 'damaged';
    return damaged || isKbError(error, 'KB_INVALID_ENTRY') ? 1 : 2;
  }
}

interface Request {
  readonly command: keyof typeof COMMANDS;
  readonly place: string;
  readonly collection: string | undefined;
  readonly format: 'jsonl' | 'markdown';
  readonly from: string | undefined;
  readonly repair: boolean;
  readonly quarantine: boolean;
}

function parse(argv: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      collection: { type: 'string' },
      format: { type: 'string', default: 'jsonl' },
      from: { type: 'string' },
      repair: { type: 'boolean', default: false },
      quarantine: { type: 'boolean', default: false },
    },
  });
  const [command = '', place, ...more] = positionals;
  if (!Object.hasOwn(COMMANDS, command)) throw new Error(command ? `there is no command '${command}'` : 'no command');
  if (place === undefined || more.length > 0) throw new Error(`${command} takes one folder or connection string`);
  const { format } = values;
  if (format !== 'jsonl' && format !== 'markdown') throw new Error(`--format must be jsonl or markdown, not ${format}`);
  const { collection, from, repair, quarantine } = values;
  return { command: command as Request['command'], place, collection, format, from, repair, quarantine };
}

async function storeOf({ command, place, collection }: Request): Promise<KbStore> {
  if (/^mongodb(\+srv)?:\/\//.test(place)) {
    const { mongoStore } = await import('./mongo-store.js');
    return mongoStore({ uri: place, collectionName: collection });
  }
  // A misspelled folder must not be made, and then found to be empty and in order.
  const found = await stat(place).catch(() => undefined);
  if (!found?.isDirectory() && command !== 'import') throw new Error(`there is no folder ${place}`);
  return fileStore({ dir: place });
}

type Progress = (text: string) => void;
type Command = (kb: Kb, request: Request, io: Surroundings, progress: Progress) => Promise<number>;

const COMMANDS = { verify, export: exportAll, import: importFrom, stats } satisfies Record<string, Command>;

async function verify(kb: Kb, { repair }: Request, { stdout }: Surroundings, progress: Progress): Promise<number> {
  const report = await kb.verify({ repair, onProgress: ({ step, checked }) => progress(`${step}: ${count(checked)}`) });
  const { tornBytes, quarantined, quarantinedBytes } = kb.health();
  const { compared, differing, missing, extra } = report.store;
  for (const fault of report.faults) stdout.write(`${fault}\n`);
  stdout.write(
    `entries ${report.entries}, index faults ${report.tagFaults + report.textFaults}, compared with the store ${compared}, ` +
      `differing ${differing.length}, missing ${missing.length}, extra ${extra.length}, unreadable ${quarantined}, ` +
      `bytes set aside ${quarantinedBytes}, torn bytes cut ${tornBytes}: ${report.repaired ? 'repaired' : report.ok ? 'ok' : 'NOT ok'}\n`,
  );
  return report.ok && quarantined === 0 && quarantinedBytes === 0 ? 0 : 1;
}

async function exportAll(kb: Kb, { format }: Request, { stdout }: Surroundings, progress: Progress): Promise<number> {
  const { entries } = kb.stats();
  let done = 0;
  async function* counted(): ReturnType<Kb['export']> {
    for await (const stored of kb.export()) {
      yield stored;
      progress(`exported ${count(++done)} of ${count(entries)} entries`);
    }
  }
  const text = format === 'jsonl' ? toJsonLines(counted()) : toMarkdown(counted());
  await pipeline(Readable.from(text), stdout, { end: false });
  return 0;
}

async function importFrom(
  kb: Kb,
  { from }: Request,
  { stdin, stdout, stderr }: Surroundings,
  progress: Progress,
): Promise<number> {
  const text = from === undefined ? stdin : createReadStream(from);
  let imported = 0;
  let refused = 0;
  try {
    for await (const result of kb.import(fromJsonLines(text as AsyncIterable<Uint8Array>))) {
      if (result.ok) imported++;
      else {
        refused++;
        stderr.write(`'${result.id}' is refused: ${messageOf(result.error)}\n`);
      }
      progress(`imported ${count(imported)} entries`);
    }
  } finally {
    stdout.write(`imported ${imported}, refused ${refused}\n`);
  }
  return refused === 0 ? 0 : 1;
}

async function stats(kb: Kb, _request: Request, { stdout }: Surroundings): Promise<number> {
  const { entries, tombstones, tags, categories, quarantined } = kb.stats();
  stdout.write(`${JSON.stringify({ entries, tombstones, tags, categories, unreadable: quarantined })}\n`);
  return 0;
}

/** Between two lines of progress, milliseconds. Choice. */
const TELL_MS = 500;

/** Tells at most every {@link TELL_MS}, and nothing of work that is shorter. */
function teller(tell: (line: string) => void, clock: Clock): Progress {
  let next = clock.monotonic() + TELL_MS;
  return (text) => {
    const now = clock.monotonic();
    if (now < next) return;
    next = now + TELL_MS;
    tell(text);
  };
}

function loading({ loaded, total, unit }: LoadProgress): string {
  return `loading: ${count(loaded)}${total === undefined ? '' : ` of ${count(total)}`} ${unit}`;
}

function count(n: number): string {
  return n.toLocaleString('en');
}
