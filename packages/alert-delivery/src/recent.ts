import type { PastEntry, PendingEntry } from './ledger-record.js';
import type { LetterEntry } from './letters.js';
import type { RecentEntry } from './store.js';

/** Newest first: pending, then ended ones by the time they ended. */
export function* recentEntries(
  limit: number,
  pending: readonly (readonly [string, PendingEntry])[],
  past: readonly PastEntry[],
  letters: Iterable<LetterEntry>,
): Iterable<RecentEntry> {
  let left = limit;
  for (let index = pending.length - 1; index >= 0; index--) {
    if (left-- <= 0) return;
    const [id, entry] = pending[index]!;
    yield { id, acceptedAt: entry.at, title: entry.alert.title, severity: entry.alert.severity, status: 'pending' };
  }
  const dead = [...letters].sort((a, b) => b.diedAt - a.diedAt);
  let letter = 0;
  for (const entry of past) {
    while (letter < dead.length && dead[letter]!.diedAt >= entry.end.at) {
      if (left-- <= 0) return;
      yield deadEntry(dead[letter++]!);
    }
    if (left-- <= 0) return;
    yield pastEntry(entry);
  }
  for (; letter < dead.length && left-- > 0; letter++) yield deadEntry(dead[letter]!);
}

function pastEntry(entry: PastEntry): RecentEntry {
  const { id, at, title, severity, end } = entry;
  const short = { id, acceptedAt: at, title, severity, status: end.type, endedAt: end.at };
  switch (end.type) {
    case 'coalesced':
      return { ...short, outcome: { status: 'coalesced', id, into: end.into } };
    case 'delivered':
      return { ...short, outcome: { status: 'delivered', id, channel: end.channel, attempts: [] } };
    case 'dead':
      return short;
  }
}

function deadEntry(entry: LetterEntry): RecentEntry {
  return {
    id: entry.id,
    acceptedAt: entry.at,
    title: entry.title,
    severity: entry.severity,
    status: 'dead',
    endedAt: entry.diedAt,
  };
}
