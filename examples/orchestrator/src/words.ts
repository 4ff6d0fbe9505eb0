import type { Need, Overview } from './overview.js';

/** How the page says what it shows. Used by the server's summary without scripts and by the page itself. */

/** The verdict: whether the books balance, and what needs somebody. */
export function verdict({ law, needs, state }: Pick<Overview, 'law' | 'needs' | 'state'>): {
  tone: 'ok' | 'warn' | 'bad';
  text: string;
} {
  const going = state === 'draining' || state === 'stopping' ? 'Shutting down: nothing new is taken. ' : '';
  if (!law.holds) return { tone: 'bad', text: `${going}The books do not balance.` };
  const books = law.accepted === 0 ? 'Nothing has been accepted yet.' : 'Everything accepted is accounted for.';
  const urgent = needs.filter(({ kind }) => kind === 'dead' || kind === 'component' || kind === 'waiting').length > 0;
  if (needs.length === 0) return { tone: going ? 'warn' : 'ok', text: `${going}${books} Nothing needs you.` };
  const many = `${needs.length === 1 ? 'One thing needs' : `${needs.length} things need`} you: ${shortly(needs[0]!)}.`;
  return { tone: urgent ? 'bad' : 'warn', text: `${going}${books} ${many}` };
}

/** The most pressing thing in a few words. */
function shortly(need: Need): string {
  switch (need.kind) {
    case 'law':
      return 'the books do not balance';
    case 'dead':
      return `${plural(need.count, 'notification')} reached nobody`;
    case 'channel':
      return `${title(need.name)} is down`;
    case 'component':
      return `${title(need.name)} is not well`;
    case 'waiting':
      return `${plural(need.count, 'notification')} can not be sent`;
    case 'stuck':
      return `${plural(need.count, 'notification')} can not be finished`;
    case 'evicted':
      return 'dead letters were dropped';
    case 'consolidation':
      return 'consolidation failed';
    case 'refused':
      return `${plural(need.count, 'post')} refused`;
  }
}

/** One thing that needs somebody. `ago` writes a time as the reader wants it. */
export function needWords(need: Need, ago: (at: number) => string): string {
  switch (need.kind) {
    case 'law':
      return `${plural(Math.abs(need.missing), 'notification')} ${need.missing > 0 ? 'unaccounted for' : 'counted twice'}: run npx @holdfast/alert-delivery verify on the data folder.`;
    case 'dead':
      return `${plural(need.count, 'notification')} reached nobody and ${need.count === 1 ? 'waits' : 'wait'} in the dead letters.`;
    case 'channel':
      return (
        `${title(need.name)} is down${need.since === undefined ? '' : ` since ${ago(need.since)}`}` +
        `; ${nextWords(need)}.`
      );
    case 'component':
      return `${title(need.name)}: ${need.message}`;
    case 'waiting':
      return `${plural(need.count, 'notification')} ${need.count === 1 ? 'waits' : 'wait'} to be sent, the oldest since ${ago(need.since)}.`;
    case 'stuck':
      return `The end of ${plural(need.count, 'notification')} could not be written down: a restart sends ${need.count === 1 ? 'it' : 'them'} again.`;
    case 'evicted':
      return `${plural(need.count, 'dead letter')} had to be dropped to keep within bounds; the log names each.`;
    case 'consolidation':
      return `Consolidation failed ${ago(need.at)}; the next one makes up for it.`;
    case 'refused':
      return `${plural(need.count, 'post')} without a usable alert ${need.count === 1 ? 'was' : 'were'} refused, the last ${ago(need.at)}.`;
  }
}

/** Who takes the alerts of a channel that is down. */
function nextWords({ next, last }: Need & { kind: 'channel' }): string {
  if (next !== undefined) return `${title(next)} takes its alerts`;
  return last ? 'there is no channel after it' : 'so is what comes after it';
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** `slack` → `Slack`, `sendgrid` → `SendGrid`. */
export function title(name: string): string {
  const known: Record<string, string> = { sendgrid: 'SendGrid', smtp: 'SMTP', kb: 'Knowledge base', log: 'Log' };
  return known[name] ?? name.slice(0, 1).toUpperCase() + name.slice(1);
}
