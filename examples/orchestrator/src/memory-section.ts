import { createHash } from 'node:crypto';
import { busyHours, duration, type Incident, minute, times } from './incident.js';
import { markdownText } from './plain-text.js';

const BEGIN = '<!-- holdfast:begin: written by consolidation, changes between these marks are replaced -->';
const END = '<!-- holdfast:end -->';
/**
 * Instances on one database may know less than each other for a moment. A line that another one wrote within this time is
 * kept although its entry is not known here, or is known in an older revision. Older lines without an entry were deleted.
 */
const LAG_MS = 10 * 60_000;

/** What the section says of one incident pattern, with what is needed to merge it with what others wrote. */
export interface MemoryLine {
  /** Stands for the entry's id, which may hold anything. */
  key: string;
  rev: number;
  /** When this revision was first written, epoch milliseconds. */
  at: number;
  lastSeen: string;
  /** A person should look at it. */
  look: boolean;
  text: string;
}

/** The line of an incident at revision `rev`, with what fixed it last. */
export function memoryLine(incident: Incident, rev: number, now: number, fix = incident.fix): MemoryLine {
  const worries = [
    ...(incident.dead > 0 ? [`**reached nobody ${times(incident.dead)}**`] : []),
    ...(incident.flaps > 2 ? [`flaps: began again within 15 min ${times(incident.flaps)}`] : []),
  ];
  return {
    key: createHash('sha256').update(incident.id).digest('hex').slice(0, 16),
    rev,
    at: now,
    lastSeen: incident.lastSeen,
    look: worries.length > 0,
    text: `**${markdownText(incident.alertname)}** ${[...worries, ...factsOf(incident)].join('; ')}.${fix ? ` Fix: ${markdownText(String(fix), 500)}` : ''}`,
  };
}

/**
 * The file with the lines in its section: at the section's place, or at the end when there is none. Everything outside
 * the marks is kept byte for byte; what another instance wrote of a newer revision is kept too. `undefined` when nothing
 * would change.
 */
export function withLines(current: string | null, lines: readonly MemoryLine[], now: number): string | undefined {
  const text = current ?? '# Memory\n';
  const found = sectionOf(text);
  const theirs = found ? parseLines(text.slice(found.begin, found.end)) : [];
  const section = render(merge(lines, theirs, now));
  if (found) {
    const next = text.slice(0, found.begin) + section + text.slice(found.end);
    return next === current ? undefined : next;
  }
  // A mark whose partner an editor removed is left alone: what follows it may be somebody's text.
  const gap = text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n';
  const stray = text.replaceAll('<!-- holdfast:begin', '<!-- (holdfast:begin without its end)');
  return `${stray}${gap}${section}\n`;
}

/** Ours, but for those of which theirs is of a newer revision, or which are theirs alone and fresh. */
function merge(ours: readonly MemoryLine[], theirs: readonly MemoryLine[], now: number): MemoryLine[] {
  const merged = new Map(ours.map((line) => [line.key, line]));
  for (const line of theirs) {
    const mine = merged.get(line.key);
    if (!mine) {
      if (now - line.at < LAG_MS) merged.set(line.key, line);
    } else if (line.rev > mine.rev) merged.set(line.key, line);
    // The same revision keeps its time, so that a run without news changes nothing.
    else if (line.rev === mine.rev) merged.set(line.key, { ...mine, at: line.at });
  }
  return [...merged.values()].sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
}

function render(lines: readonly MemoryLine[]): string {
  const shown = ({ key, rev, at, lastSeen, look, text }: MemoryLine): string =>
    `- ${text} <!-- ${key} ${rev} ${at} ${lastSeen || '-'}${look ? ' look' : ''} -->`;
  const look = lines.filter((line) => line.look);
  const rest = lines.filter((line) => !line.look);
  return [
    BEGIN,
    '## Incidents',
    ...(lines.length === 0 ? ['', 'No incidents so far.'] : []),
    ...(look.length > 0 ? ['', '### Needs a look', '', ...look.map(shown)] : []),
    ...(rest.length > 0 ? ['', '### Patterns', '', ...rest.map(shown)] : []),
    END,
  ].join('\n');
}

function sectionOf(text: string): { begin: number; end: number } | undefined {
  const begin = text.indexOf('<!-- holdfast:begin');
  const end = begin < 0 ? -1 : text.indexOf(END, begin);
  return end < 0 ? undefined : { begin, end: end + END.length };
}

const LINE = /^- (.*) <!-- ([0-9a-f]{16}) (\d{1,15}) (\d{1,15}) (\S{1,40})( look)? -->$/;

function parseLines(section: string): MemoryLine[] {
  return section.split('\n').flatMap((each) => {
    const [, text, key, rev, at, lastSeen, look] = LINE.exec(each) ?? [];
    if (text === undefined) return [];
    return [
      { key: key!, rev: Number(rev), at: Number(at), lastSeen: lastSeen === '-' ? '' : lastSeen!, look: !!look, text },
    ];
  });
}

function factsOf(incident: Incident): string[] {
  const channels = Object.entries(incident.channels).map(([name, count]) => `${markdownText(name)} ${count}`);
  const busy = busyHours(incident.episodes);
  const hour = (at: number): string => `${String(at).padStart(2, '0')}:00`;
  return [
    `seen ${times(incident.seen)}, last ${minute(incident.lastSeen)}`,
    ...(incident.resolved > 0
      ? [
          `${incident.resolved} resolved, after ${duration(incident.totalMs / incident.resolved)} on average, ${duration(incident.longestMs)} at most`,
        ]
      : ['none resolved so far']),
    ...(busy ? [`mostly between ${hour(busy[0])} and ${hour(busy[1])} UTC`] : []),
    `told by ${channels.join(', ') || 'nobody yet'}`,
  ];
}
