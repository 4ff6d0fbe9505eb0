import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row, Table } from '../../runner/table.ts';
import { createFile } from './locks/locks.ts';

const RACER = fileURLToPath(new URL('takeover-race/racer.mjs', import.meta.url));
const HOLDER = fileURLToPath(new URL('recovery/holder.mjs', import.meta.url));
const SIZES = [2, 4, 8, 16];
/** Long enough that two owners of one trial meet inside. */
const HOLD_MS = 15;
const LEAD_NS = 4_000_000n;

/** Puts a lock in place whose owner is gone. */
type Stale = (file: string) => void;

export const table: Table = {
  name: 'file-lock/takeover-race',
  title: 'Two holders of one lock after a takeover',
  about:
    'The owner is gone and its lock is stale. 2, 4, 8 and 16 processes try to take it at the same instant, once each. A trial counts as a double hold ' +
    'when two of them hold the lock at the same time.',
  columns: [
    { name: 'double holds', unit: '%', better: 'lower' },
    { name: 'told anybody', unit: 'count', better: 'none' },
    { name: 'trials', unit: 'count', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const old = new Date(Date.now() - 3_600_000);
    const contenders: { who: string; name: string; kind: Row['kind']; stale: Stale }[] = [
      { who: 'holdfast', name: 'holdfast acquire', kind: 'ours', stale: await deadOwner(join(dir, 'dead')) },
      {
        who: 'proper-lockfile',
        name: 'proper-lockfile 4.1.2',
        kind: 'peer',
        stale: (file) => {
          mkdirSync(`${file}.lock`);
          utimesSync(`${file}.lock`, old, old);
        },
      },
      {
        who: 'lockfile',
        name: 'lockfile 1.0.4, stale 10 s',
        kind: 'peer',
        stale: (file) => {
          writeFileSync(`${file}.lock`, '');
          utimesSync(`${file}.lock`, old, old);
        },
      },
    ];
    const trials = quick ? 10 : 150;
    const racers = await Promise.all(Array.from({ length: SIZES.at(-1)! }, startRacer));
    const rows: Row[] = [];
    let ours = 0;
    try {
      for (const racing of SIZES) {
        const doubles = new Map<string, number>(contenders.map(({ who }) => [who, 0]));
        const told = new Map<string, number>(contenders.map(({ who }) => [who, 0]));
        for (let trial = 0; trial < trials; trial += 1)
          for (const { who, stale } of contenders) {
            const file = createFile(join(dir, `${who}-${racing}-${trial}`));
            stale(file);
            const outcomes = await race(racers.slice(0, racing), who, file);
            if (outcomes.some((outcome) => outcome.startsWith('double'))) doubles.set(who, doubles.get(who)! + 1);
            if (outcomes.some((outcome) => outcome.includes('told'))) told.set(who, told.get(who)! + 1);
            for (const left of [file, `${file}.lock`, `${file}.inside`]) rmSync(left, { recursive: true, force: true });
          }
        for (const { who, name, kind } of contenders) {
          const percent = Math.round((doubles.get(who)! / trials) * 1_000) / 10;
          const cells = { 'double holds': percent, 'told anybody': told.get(who)!, trials };
          rows.push({ who: name, kind, size: `${racing} processes`, cells });
        }
        ours += doubles.get('holdfast')!;
        log(`${racing} processes done`);
      }
    } finally {
      for (const racer of racers) racer.kill();
    }
    return {
      rows,
      targets: [{ claim: 'no double hold', measured: `${ours} in ${trials * SIZES.length} trials`, met: ours === 0 }],
      notes: [
        'proper-lockfile judges by age, removes what it judged and makes its own: between the two somebody else’s fresh lock can lie there. Ours renames the owner’s directory to its own name: of two who try, one finds the name gone.',
        'The longer run, with every file system call stalled at random and also with owners that are only silent, is `npm run chaos -- file-lock/takeover`.',
      ],
    };
  },
};

async function startRacer(): Promise<ChildProcess> {
  const racer = fork(RACER, { execArgv: [] });
  await once(racer, 'message');
  return racer;
}

async function race(racers: readonly ChildProcess[], who: string, file: string): Promise<string[]> {
  const atNs = String(process.hrtime.bigint() + LEAD_NS);
  const answers = racers.map(async (racer) => {
    const answer = once(racer, 'message') as Promise<[{ outcome: string }]>;
    racer.send({ who, file, atNs, holdMs: HOLD_MS });
    return (await answer)[0].outcome;
  });
  return Promise.all(answers);
}

/** Has an owner killed once, and copies what it left. */
async function deadOwner(file: string): Promise<Stale> {
  const holder = spawn(process.execPath, [HOLDER, 'holdfast', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const gone = once(holder, 'exit');
  holder.kill('SIGKILL');
  await gone;
  const [owner] = readdirSync(`${file}.lock`) as [string];
  return (stale) => {
    mkdirSync(`${stale}.lock`, { mode: 0o1777 });
    mkdirSync(join(`${stale}.lock`, owner));
  };
}
