import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { systemCode } from './errors.js';
import type { Contest } from './protocol.js';
import { stagePath } from './protocol.js';
import type { Target } from './target.js';

/**
 * Raises the file's fencing counter by one and returns it. The new number is staged inside the owner's directory and
 * renamed out of it, like a commit: an owner that was replaced can never write it (the rename fails ENOENT), so no
 * number is given out twice and no late owner gets a higher one than its successor.
 */
export function bumpToken(target: Target, contest: Contest): number {
  const counter = counterOf(target);
  const next = readCounter(counter) + 1;
  const stage = stagePath(contest, 't');
  const fd = openSync(stage, 'w', 0o666);
  try {
    writeSync(fd, `${next}\n`);
  } finally {
    closeSync(fd);
  }
  renameSync(stage, counter);
  return next;
}

/** Where the counter is kept. */
export function counterOf(target: Target): string {
  return `${target.lock}.token`;
}

/** The number that the last bump gave out; 0 before the first. */
export function readCounter(counter: string): number {
  let text: string;
  try {
    text = readFileSync(counter, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${counter} does not hold a number; remove it if no token in use matters`);
}
