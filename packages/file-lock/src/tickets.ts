import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync, utimesSync } from 'node:fs';
import { systemCode } from './errors.js';
import type { Standing } from './identity.js';
import { holderOf, standingOf } from './identity.js';
import type { Target } from './target.js';

/**
 * The line of processes for one lock: a directory `F.lock.q/` with a file `<number>-<name>` for each contender, there only
 * while somebody waits. A newcomer takes the number after the highest it sees (Lamport's bakery), so that no clock of any
 * machine has a say; two that come at the same moment share a number and are told apart by name.
 */
export function lineOf(target: Target): string {
  return `${target.lock}.q`;
}

/** `<number>-<name>` is longer than this only after 10^12 waiters without a break. */
const DIGITS = 12;

/** The tickets, first come first; also those of processes that are gone. */
export function ticketsOf(target: Target): string[] {
  const line = lineOf(target);
  return existsSync(line) ? ticketNames(line) : [];
}

/** How many stand in line, of all processes. */
export function lengthOfLine(target: Target): number {
  return ticketsOf(target).filter((ticket) => standingOfTicket(ticket) !== 'dead').length;
}

/** What is known of the process that a ticket stands for. */
export function standingOfTicket(ticket: string): Standing {
  return standingOf(ticket.slice(DIGITS + 1));
}

/** Takes the next number for the contender called `me` and returns the ticket's name. */
export function takeTicket(target: Target, me: string): string {
  const line = lineOf(target);
  const last = Number(ticketNames(line).at(-1)?.slice(0, DIGITS) ?? 0);
  const name = `${String(last + 1).padStart(DIGITS, '0')}-${me}`;
  putTicket(target, name);
  return name;
}

/** Creates the ticket `name`, or leaves it where it is there already. */
export function putTicket(target: Target, name: string): void {
  const line = lineOf(target);
  for (;;) {
    try {
      closeSync(openSync(`${line}/${name}`, 'a', 0o666));
      return;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      mkdirSync(line, { recursive: true }); // the last one to leave has just removed it, or nobody waits yet
    }
  }
}

/** Leaves the line, and removes it after the last one. */
export function leaveLine(target: Target, name: string): void {
  removeTicket(`${lineOf(target)}/${name}`);
  removeLine(lineOf(target));
}

/** Takes away the ticket of somebody who has missed the turn; throws if it may not. */
export function passOver(target: Target, name: string): void {
  try {
    unlinkSync(`${lineOf(target)}/${name}`);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** Removes the tickets of processes that are gone. */
export function sweepTickets(target: Target, names: readonly string[]): void {
  for (const name of names) removeTicket(`${lineOf(target)}/${name}`);
  if (names.length > 0) removeLine(lineOf(target));
}

/** Whose ticket it is; undefined if the name tells nothing. */
export function pidOfTicket(name: string): number | undefined {
  return holderOf(name.slice(DIGITS + 1), 'unproven').pid;
}

/** Wakes the first in line who can take the lock. Called after a release; a failure costs the time until the next look. */
export function wakeNext(target: Target): void {
  const line = lineOf(target);
  if (!existsSync(line)) return;
  let names: string[];
  try {
    names = ticketNames(line);
  } catch {
    return;
  }
  for (const name of names) {
    const standing = standingOfTicket(name);
    if (standing === 'dead' || standing === 'stopped') continue;
    try {
      utimesSync(`${line}/${name}`, 1, 1); // any attribute change is an event for its watcher
      return;
    } catch {
      // It has just left: the next one.
    }
  }
}

function ticketNames(line: string): string[] {
  try {
    return readdirSync(line)
      .filter((name) => name[DIGITS] === '-')
      .sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function removeTicket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it already, or this user may not: the next one who may does it.
  }
}

function removeLine(line: string): void {
  try {
    rmdirSync(line);
  } catch {
    // Not empty: somebody waits. Or gone.
  }
}
