import { parseArgs } from 'node:util';
import { type Clock, systemClock } from '@holdfast/clock';
import { SEVERITIES, type Severity } from './alert.js';
import { withPlace } from './command-place.js';
import { letterOf } from './dead-letter.js';
import { isDeliveryError, reasonOf } from './errors.js';
import { lawHolds } from './law.js';
import { type LifeEvent, timelineOf } from './life.js';
import type { DeadFilter, DeliveryStore } from './store.js';

const USAGE = `usage: alert-delivery <command> <folder | mongodb://…>

  list      dead letters, oldest first                            --json: each whole, one a line
  replay    makes dead letters pending again; the next start, or an instance that runs, delivers them     --dry-run
  verify    checks that every alert is accounted for, and that what is kept of each can be read
  explain   <folder | mongodb://…> <id>: what happened to one alert, in order                             --json

  --id <id>            only this one; may be given more than once
  --severity <word>    only these: critical, error, warning, info; may be given more than once
  --reason <word>      only what died for this reason
  --since, --until <time>   only what died then, as 2026-11-24T13:00:00Z
  --limit <n>          no more than n
  --collection <name>  in MongoDB; alert_delivery otherwise

list, verify and explain read a copy of the folder: nothing in it changes, and a service may be using it.
Exit codes: 0 done, 1 something is wrong with the alerts or there is no such alert, 2 it could not be done.
`;

/** Where a command writes: `process`, or what a test gives. */
export interface Surroundings {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Runs one command of the command line and resolves with its exit code. Never rejects. */
export async function runCommand(argv: readonly string[], io: Surroundings): Promise<number> {
  const tell = (line: string): void => void io.stderr.write(`${line}\n`);
  let request: Request;
  try {
    request = parse(argv);
  } catch (error) {
    tell(`${reasonOf(error)}\n\n${USAGE}`);
    return 2;
  }
  try {
    const progress = teller(tell, systemClock);
    return await withPlace(request, progress, (store) => COMMANDS[request.command](store, request, io, progress));
  } catch (error) {
    tell(reasonOf(error));
    return isDeliveryError(error, 'DELIVERY_STORE_FAILED') && error.kind === 'damaged' ? 1 : 2;
  }
}

/** Reports how far a long command is; the text goes out at most once a second. */
export type Progress = (text: string) => void;

interface Request {
  readonly command: keyof typeof COMMANDS;
  readonly place: string;
  readonly id: string | undefined;
  readonly filter: DeadFilter;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly collection: string | undefined;
  /** The folder itself is opened, not a copy. */
  readonly writes: boolean;
}

function parse(argv: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      id: { type: 'string', multiple: true },
      severity: { type: 'string', multiple: true },
      reason: { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      limit: { type: 'string' },
      collection: { type: 'string' },
      json: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const [command = '', place, id, ...more] = positionals;
  if (!Object.hasOwn(COMMANDS, command)) throw new Error(command ? `there is no command '${command}'` : 'no command');
  if (place === undefined) throw new Error(`${command} takes a folder or connection string`);
  if (more.length > 0 || (id !== undefined) !== (command === 'explain'))
    throw new Error(
      command === 'explain' ? 'explain takes one id' : `${command} takes one folder or connection string`,
    );
  for (const word of values.severity ?? [])
    if (!SEVERITIES.includes(word as Severity)) throw new Error(`--severity must be one of ${SEVERITIES.join(', ')}`);
  const limit = values.limit === undefined ? undefined : Number(values.limit);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) throw new Error('--limit must be 1 or more');
  const filter: DeadFilter = {
    ids: values.id,
    severity: values.severity as Severity[] | undefined,
    reason: values.reason,
    since: time('since', values.since),
    until: time('until', values.until),
    limit,
  };
  const dryRun = values['dry-run'];
  const writes = command === 'replay' && !dryRun;
  const { json, collection } = values;
  return { command: command as Request['command'], place, id, filter, json, dryRun, collection, writes };
}

function time(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Error(`--${name} must be a time such as 2026-11-24T13:00:00Z, not ${text}`);
  return at;
}

type Command = (store: DeliveryStore, request: Request, io: Surroundings, progress: Progress) => Promise<number>;

const COMMANDS = { list, replay, verify, explain } satisfies Record<string, Command>;

async function list(store: DeliveryStore, { filter, json }: Request, { stdout }: Surroundings): Promise<number> {
  for await (const record of store.dead(filter)) {
    const letter = letterOf(record, record.alert);
    const { alert, reason, attempts, diedAt, id } = letter;
    const line = `${iso(diedAt)} ${alert.severity} ${reason} after ${attempts.length} attempts: ${id} ${alert.title}`;
    stdout.write(`${json ? JSON.stringify(letter) : oneLine(line)}\n`);
  }
  return 0;
}

async function replay(
  store: DeliveryStore,
  { filter, dryRun }: Request,
  { stdout }: Surroundings,
  progress: Progress,
): Promise<number> {
  const ids: string[] = [];
  for await (const { id } of store.dead(filter)) ids.push(id);
  let queued = 0;
  for (const [index, id] of ids.entries()) {
    if (dryRun) {
      stdout.write(`would be queued: ${id}\n`);
      continue;
    }
    const work = await store.revive(id, { type: 'replayed', at: systemClock.now() }, { held: false });
    if (work) {
      queued++;
      stdout.write(`queued: ${id}\n`);
    }
    progress(`${index + 1} of ${ids.length} dead letters`);
  }
  stdout.write(`${dryRun ? ids.length : queued} of ${ids.length} dead letters${dryRun ? ' would be' : ''} queued\n`);
  return 0;
}

async function verify(
  store: DeliveryStore,
  _request: Request,
  { stdout }: Surroundings,
  progress: Progress,
): Promise<number> {
  await store.refresh();
  const counts = store.counts();
  const { accepted, delivered, coalesced, dead, pending, evicted } = counts;
  const holds = lawHolds(counts);
  const { checked, problems } = await store.audit((done) => progress(`${done} records checked`));
  const { tornBytes, quarantinedBytes } = store.found;
  for (const problem of problems) stdout.write(`${oneLine(problem)}\n`);
  stdout.write(
    `accepted ${accepted} = delivered ${delivered} + coalesced ${coalesced} + dead ${dead} + pending ${pending} + evicted ${evicted}: ` +
      `${holds ? 'holds' : 'DOES NOT HOLD'}\n${checked} records checked, ${problems.length} problems, torn bytes ${tornBytes}, ` +
      `damaged bytes ${quarantinedBytes}\n`,
  );
  return holds && problems.length === 0 && quarantinedBytes === 0 ? 0 : 1;
}

async function explain(store: DeliveryStore, { id = '', json }: Request, { stdout }: Surroundings): Promise<number> {
  const record = await store.find(id);
  if (!record) {
    stdout.write(`there is no alert ${oneLine(id)}\n`);
    return 1;
  }
  const timeline = timelineOf(record);
  if (json) {
    stdout.write(`${JSON.stringify(timeline)}\n`);
    return 0;
  }
  const { alert } = timeline;
  stdout.write(`${oneLine(`${id}: ${timeline.status}${alert ? `, ${alert.severity}, ${alert.title}` : ''}`)}\n`);
  stdout.write(`${iso(timeline.acceptedAt)} accepted\n`);
  for (const event of timeline.events) stdout.write(`${oneLine(`${iso(event.at)} ${words(event)}`)}\n`);
  return 0;
}

/** An event in words: its type, its channel, and whatever else it carries. */
function words(event: LifeEvent): string {
  const { type, at: _at, ...rest } = event;
  return [type, ...Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`)].join(' ');
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

/** A terminal must not obey what is in an alert. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the purpose
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}

function teller(tell: (line: string) => void, clock: Clock): Progress {
  let last = clock.monotonic();
  return (text) => {
    const now = clock.monotonic();
    if (now - last < 1000) return;
    last = now;
    tell(text);
  };
}
