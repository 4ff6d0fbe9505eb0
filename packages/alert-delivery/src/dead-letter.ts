import type { StoredAlert } from './alert.js';
import type { DeadLetter } from './contract.js';
import { type AlertRecord, attemptsOf, endOf, isEnd } from './life.js';

/** The dead letter of a record that ended dead. */
export function letterOf(record: AlertRecord, alert: StoredAlert): DeadLetter {
  const end = [...record.events].reverse().find(isEnd) ?? endOf(record.events);
  const reason = end?.type === 'dead' ? end.reason : 'exhausted';
  return {
    v: 1,
    id: record.id,
    alert,
    reason,
    attempts: attemptsOf(record.events),
    acceptedAt: record.acceptedAt,
    diedAt: end?.at ?? record.acceptedAt,
  };
}
