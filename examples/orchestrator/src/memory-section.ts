import { duration, type Incident } from './incident.js';
import { markdownText } from './plain-text.js';

const BEGIN = '<!-- holdfast:begin: written by consolidation, changes between these marks are replaced -->';
const END = '<!-- holdfast:end -->';

/** The marked section of MEMORY.md: a line for each incident pattern, newest first. */
export function memorySection(incidents: readonly Incident[]): string {
  const newest = [...incidents].sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
  const lines = newest.length > 0 ? newest.map(lineOf) : ['No incidents so far.'];
  return [BEGIN, '## Incidents', '', ...lines, END].join('\n');
}

/**
 * The file with its section replaced, or added at the end when there is none. Everything outside the marks is kept byte
 * for byte. `undefined` when nothing would change.
 */
export function withSection(current: string | null, section: string): string | undefined {
  const text = current ?? '# Memory\n';
  const begin = text.indexOf('<!-- holdfast:begin');
  const end = begin < 0 ? -1 : text.indexOf(END, begin);
  if (begin >= 0 && end >= 0) {
    const next = text.slice(0, begin) + section + text.slice(end + END.length);
    return next === current ? undefined : next;
  }
  // A mark whose partner an editor removed is left alone: what follows it may be somebody's text.
  const gap = text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n';
  const stray = begin >= 0 ? text.replaceAll('<!-- holdfast:begin', '<!-- (holdfast:begin without its end)') : text;
  return `${stray}${gap}${section}\n`;
}

function lineOf(incident: Incident): string {
  const channels = Object.entries(incident.channels).map(([name, count]) => `${markdownText(name)} ${count}`);
  const lasted = incident.resolved > 0 ? `, ${duration(incident.totalMs / incident.resolved)} on average` : '';
  const dead = incident.dead > 0 ? `, **${incident.dead} reached nobody**` : '';
  const fix = incident.fix ? ` Fix: ${markdownText(String(incident.fix), 500)}` : '';
  return (
    `- **${markdownText(incident.alertname)}** seen ${incident.seen} ${incident.seen === 1 ? 'time' : 'times'}, ` +
    `last ${incident.lastSeen}; ${incident.resolved} resolved${lasted}; told by ${channels.join(', ') || 'nobody yet'}${dead}.${fix}`
  );
}
