// Races: at the given moment of the system's monotonic clock it makes one attempt at a lock that is stale, and proves by a
// directory that it is alone inside while it holds it.
import { mkdirSync, rmdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { acquire } from '@holdfast/file-lock';

const require = createRequire(import.meta.url);
const proper = require('proper-lockfile');
const lockfile = require('lockfile');

const attempts = {
  holdfast: async (file) => {
    const hold = await acquire(file, { timeoutMs: 0 });
    return () => hold.release();
  },
  'proper-lockfile': (file) => proper.lock(file, { onCompromised: () => {} }),
  lockfile: async (file) => {
    await promisify(lockfile.lock)(`${file}.lock`, { stale: 10_000 });
    return () => promisify(lockfile.unlock)(`${file}.lock`);
  },
};

process.on('message', ({ who, file, atNs, holdMs }) => {
  race(who, file, BigInt(atNs), holdMs).then((outcome) => process.send({ outcome }));
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });

async function race(who, file, atNs, holdMs) {
  while (process.hrtime.bigint() < atNs); // all at once: no timer is that exact
  let release;
  try {
    release = await attempts[who](file);
  } catch {
    return 'lost';
  }
  let outcome = 'held';
  try {
    mkdirSync(`${file}.inside`);
  } catch {
    outcome = 'double';
  }
  await pause(holdMs);
  if (outcome === 'held') rmdirSync(`${file}.inside`);
  try {
    await release();
  } catch {
    return `${outcome}, told at release`;
  }
  return outcome;
}
