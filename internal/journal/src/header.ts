import { JournalError } from './errors.js';
import { encodeLine, type Line, seedOf } from './frame.js';

/** The newest format that this code writes and reads. */
const FORMAT_VERSION = 1;
const FORMAT = 'holdfast-journal';

/** The first line of every file. */
export function headerLine(name: string, epoch: number, createdAt: number): string {
  const header = { format: FORMAT, version: FORMAT_VERSION, epoch, createdAt: new Date(createdAt).toISOString() };
  return encodeLine('header', 0, JSON.stringify(header), seedOf(name));
}

/** The last line of a file that is finished: `closed` by close(), `rotated`, `recovered` after a crash, or a `snapshot`. */
export type Ending = 'closed' | 'rotated' | 'recovered' | 'snapshot';

export function endLine(name: string, start: number, ending: Ending): string {
  return encodeLine('end', start, JSON.stringify({ end: ending }), seedOf(name));
}

export function endingOf(line: Line | undefined): Ending | undefined {
  return line && (JSON.parse(line.body.toString()) as { end: Ending }).end;
}

/** Refuses a file that a newer version wrote. */
export function checkHeader(line: Line, file: string, dir: string): void {
  const header = JSON.parse(line.body.toString()) as { format?: unknown; version?: unknown };
  if (header.format === FORMAT && typeof header.version === 'number' && header.version <= FORMAT_VERSION) return;
  throw new JournalError(
    'JOURNAL_UNUSABLE',
    `${file} has format ${JSON.stringify(header.format)} version ${JSON.stringify(header.version)}, this code reads up to ` +
      `version ${FORMAT_VERSION}; open it with the version that wrote it`,
    { dir, file },
  );
}
