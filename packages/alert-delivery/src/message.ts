import type { StoredAlert } from './alert.js';
import type { SendContext } from './channel.js';

/** A short word that is the same in every copy of a message, for people who got two. */
function shortId(context: Pick<SendContext, 'idempotencyKey'>): string {
  return context.idempotencyKey.slice(0, 8);
}

/** The line that every text channel leads with. */
export function headline(alert: StoredAlert): string {
  return `[${alert.status === 'resolved' ? 'RESOLVED' : alert.severity.toUpperCase()}] ${alert.title}`;
}

/** What follows the text when an earlier copy may have arrived, else nothing. */
export function repeatNote(context: SendContext): string {
  return context.maybeRepeat ? `may be a repeat (${shortId(context)})` : '';
}
