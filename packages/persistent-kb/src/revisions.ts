import { type Entry, type Row, type Stored, storedOf } from './entry.js';
import { KbError } from './errors.js';
import { bad } from './options.js';

/** What a write may ask of the revision that is stored. */
export type IfRev = number | 'absent' | undefined;

/** @throws TypeError when it is no revision. */
export function checkIfRev(ifRev: unknown, mayBeAbsent: boolean): void {
  if (ifRev === undefined || (mayBeAbsent && ifRev === 'absent')) return;
  if (!Number.isSafeInteger(ifRev) || (ifRev as number) < 1) {
    throw bad('ifRev', `be a revision, a whole number from 1${mayBeAbsent ? ", or 'absent'" : ''}`, ifRev);
  }
}

/** @throws KbError `KB_CONFLICT` when what is stored is not what was asked for. */
export function checkRev(id: string, current: Row | undefined, ifRev: IfRev): void {
  if (ifRev === undefined) return;
  const live = current?.entry ? current : undefined;
  if (ifRev === 'absent' ? live === undefined : live?.rev === ifRev) return;
  const is = live ? `is at revision ${live.rev}` : 'does not exist';
  throw new KbError('KB_CONFLICT', `'${id}' ${is}, not ${ifRev === 'absent' ? 'absent' : `at revision ${ifRev}`}`, {
    id,
    current: live && storedOf(live),
  });
}

/** The result of `op`, told from the row that it made or that followed it. */
export function alreadyWritten<T extends Entry>(current: Row | undefined, op: string, entry: T): Stored<T> | undefined {
  if (!current) return undefined;
  if (current.op === op && current.entry) return storedOf<T>(current);
  const back = current.prior?.indexOf(op) ?? -1;
  return back < 0 ? undefined : storedOf<T>({ id: entry.id, rev: current.rev - back - 1, op, at: current.at, entry });
}
