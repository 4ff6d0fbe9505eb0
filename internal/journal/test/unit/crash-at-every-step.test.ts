import { describe, expect, it } from 'vitest';
import type { Journal, JournalEvent } from '../../src/index.js';
import {
  type Conditions,
  type Fault,
  type MemoryDisk,
  memoryDisk,
  openJournalOn,
  seededRandom,
} from '../../src/testing.js';

interface Life {
  journal: Journal<string>;
  state: Set<string>;
  events: JournalEvent[];
}

async function open(disk: MemoryDisk, conditions?: Conditions): Promise<Life> {
  const state = new Set<string>();
  const events: JournalEvent[] = [];
  const journal = await openJournalOn<string>(
    disk,
    {
      dir: '/data/journal',
      segmentBytes: 1024,
      apply: (record) => void state.add(record),
      snapshot: () => [...state],
      onEvent: (event) => void events.push(event),
    },
    conditions,
  );
  return { journal, state, events };
}

/** One step of a story, and what it acknowledges. */
type Step = (life: Life) => Promise<string[]>;

const append =
  (...records: string[]): Step =>
  async ({ journal }) => {
    await journal.append(records);
    return records;
  };
const compact: Step = async ({ journal }) => {
  await journal.compact();
  return [];
};
const close: Step = async ({ journal }) => {
  await journal.close();
  return [];
};

const CUTS = [1, 2];

/** The ways to crash in a call: before it, after it, and after either a power cut that keeps a part of what was not synced. */
const CRASHES = (['before', 'after'] as const).flatMap((dies) => [
  { dies, cut: undefined },
  ...CUTS.map((cut) => ({ dies, cut })),
]);

/**
 * Runs `before`, then `steps` with a crash at one of its system calls, for every call and every kind of crash, and looks after
 * each: everything acknowledged is there, and after one more life that appends and one more power cut still is.
 */
async function crashEverywhere(before: Step[], steps: Step[]): Promise<number> {
  let crashes = 0;
  for (let at = 0; ; at++) {
    let reached = false;
    for (const crash of CRASHES) {
      const disk = memoryDisk();
      const acknowledged = new Set<string>();
      if (before.length > 0) {
        const life = await open(disk);
        for (const step of before) for (const record of await step(life)) acknowledged.add(record);
      }
      let calls = 0;
      let died = (): void => undefined;
      const dead = new Promise<'died'>((resolve) => {
        died = () => resolve('died');
      });
      const fault = (): Fault | undefined => {
        if (calls > at) return { dies: 'before' };
        if (calls++ < at) return undefined;
        died();
        return { dies: crash.dies };
      };
      const story = async (): Promise<'ended'> => {
        const life = await open(disk, { fault });
        for (const step of steps) for (const record of await step(life)) acknowledged.add(record);
        return 'ended';
      };
      if ((await Promise.race([story(), dead])) === 'ended') continue;
      reached = true;
      crashes++;
      if (crash.cut !== undefined) disk.powerCut(seededRandom(crash.cut));
      const what = `call ${at}, ${crash.dies}, power cut ${crash.cut}`;
      const next = await open(disk);
      for (const record of acknowledged) expect(next.state, what).toContain(record);
      const shown = [...next.state];
      await next.journal.append('next life');
      disk.powerCut(seededRandom(at));
      const last = await open(disk);
      expect([...last.state], what).toEqual(expect.arrayContaining([...shown, 'next life']));
      expect([...next.events, ...last.events].map(({ type }) => type)).not.toContain('journal.damage-found');
      await last.journal.close();
      const files = [...disk.files().keys()];
      expect(
        files.filter((path) => path.endsWith('.tmp')),
        what,
      ).toEqual([]);
    }
    if (!reached) return crashes;
  }
}

const some = Array.from({ length: 9 }, (_, n) => append(`record ${n} ${'.'.repeat(150)}`));

describe('openJournal', () => {
  it('[P5] comes to the same state after a crash at every system call of a compaction', async () => {
    const crashes = await crashEverywhere(some, [compact, append('after the compaction'), compact]);
    expect(crashes).toBeGreaterThan(40 * CRASHES.length);
  });

  it('[P5] comes to the same state after a crash at every system call of a rotation', async () => {
    await crashEverywhere([append('first')], some);
  });

  it('[P1] keeps what is acknowledged after a crash at every system call of the first open and the first appends', async () => {
    await crashEverywhere([], [append('a'), append('b'), append('c')]);
  });

  it('[P8] keeps everything after a crash at every system call of a close and of the open after it', async () => {
    await crashEverywhere([append('a'), append('b')], [append('c'), close]);
    await crashEverywhere([append('a'), append('b'), close], [append('c')]);
  });
  it('[P7] lets an owner that was stopped while it opened, at any system call, touch no file of its successor', async () => {
    // After mkdir and readdir it becomes the owner; before, there is nothing to lose.
    for (let at = 2; ; at++) {
      const disk = memoryDisk();
      const killed = await open(disk);
      for (const step of some) await step(killed);
      let calls = 0;
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let stopped = (): void => undefined;
      const reached = new Promise<'stopped'>((resolve) => {
        stopped = () => resolve('stopped');
      });
      const turn = (): Promise<void> | undefined => {
        if (calls++ < at) return undefined;
        stopped();
        return woken;
      };
      const opener = open(disk, { turn }).catch((error: unknown) => error);
      if ((await Promise.race([opener, reached])) !== 'stopped') break;
      // The first owner was not dead: what it still writes makes the successor's copy longer than the stopped opener's.
      await killed.journal.append(`late ${'.'.repeat(100)}`).catch(() => undefined);
      const successor = await open(disk);
      await successor.journal.append('of the successor');
      wake();
      await opener;
      await successor.journal.append('and more');
      const last = await open(disk);
      expect([...last.state], `call ${at}`).toEqual([...successor.state]);
      expect(
        last.events.map(({ type }) => type),
        `call ${at}`,
      ).not.toContain('journal.damage-found');
    }
  });
});
