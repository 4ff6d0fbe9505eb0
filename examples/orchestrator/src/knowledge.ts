import type { Entry, Kb } from '@holdfast/persistent-kb';
import { duration, incidentId, isIncident, times } from './incident.js';
import { nameOf } from './notification.js';
import type { Payload } from './payload.js';
import { oneLine } from './plain-text.js';

/** Alert names of one post that are looked up. Choice: more lines than this hide the alerts. */
const MAX_NAMES = 5;

/** What the knowledge base says about the incidents of a post, a line for each alert name that it knows. */
export function knownOf(kb: Kb<Entry>, payload: Payload, now: number): string[] {
  const names = [...new Set(payload.alerts.map(({ labels }) => nameOf(labels)))].slice(0, MAX_NAMES);
  return names.flatMap((name) => {
    const line = knownOfName(kb, name, now);
    return line === undefined ? [] : [line];
  });
}

/** `Known: HighErrorRate seen 12 times, last 2 days ago. Last fix: restart the pool (kb fix-17)`. */
function knownOfName(kb: Kb<Entry>, name: string, now: number): string | undefined {
  const entry = kb.get(incidentId(name))?.entry;
  const incident = isIncident(entry) ? entry : undefined;
  const fix = incident?.fix ? { text: String(incident.fix), id: incident.id } : lastFix(kb, name);
  const seen =
    incident && incident.seen > 0
      ? ` seen ${times(incident.seen)}, last ${duration(Math.max(0, now - Date.parse(incident.lastSeen)))} ago.${incident.flaps > 2 ? ' It flaps.' : ''}`
      : undefined;
  if (seen === undefined && fix === undefined) return undefined;
  return [
    `Known: ${oneLine(name, 80)}${seen ?? '.'}`,
    ...(fix ? [`Last fix: ${oneLine(fix.text, 300)} (kb ${oneLine(fix.id, 80)})`] : []),
  ].join(' ');
}

/** The newest entry of category `fix` that carries the alert's name as a tag. */
export function lastFix(kb: Kb<Entry>, name: string): { text: string; id: string } | undefined {
  const { hits } = kb.query({ all: [name], category: 'fix', limit: 20 });
  const newest = hits
    .map(({ id }) => kb.get(id))
    .filter((stored) => stored !== undefined)
    .sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1))[0];
  return newest && { text: newest.entry.title, id: newest.entry.id };
}
