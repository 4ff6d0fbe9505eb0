import type { Bodies } from './bodies.js';
import type { Ledger } from './ledger.js';
import { endOf } from './life.js';

/** Looks at every alert that the ledger knows whole, and says what does not agree. */
export async function auditLedger(
  ledger: Ledger,
  bodies: Bodies,
  onProgress?: (checked: number) => void,
): Promise<{ checked: number; problems: string[] }> {
  const problems: string[] = [];
  const { letters, pending } = ledger;
  const { dead } = ledger.counts();
  if (dead !== letters.size) problems.push(`${dead} dead letters are counted and ${letters.size} listed`);
  let checked = 0;
  for (const [id, { alert, events }] of pending) {
    if (alert.id !== id || endOf(events)) problems.push(`alert '${id}' is pending and says that it has ended`);
    onProgress?.(++checked);
  }
  for (const { id } of [...letters.byWorth()]) {
    const body = await bodies.get('dead', id);
    if (!body?.alert) problems.push(`the dead letter of alert '${id}' can not be read`);
    else if (endOf(body.events)?.type !== 'dead') problems.push(`the dead letter of alert '${id}' has no death in it`);
    onProgress?.(++checked);
  }
  return { checked, problems };
}
