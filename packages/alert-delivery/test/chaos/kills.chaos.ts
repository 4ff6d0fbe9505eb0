import { fileURLToPath } from 'node:url';
import { type ChaosOptions, type ChaosReport, runNode, tempDir } from '@holdfast/testkit';

export const part = 'alert-delivery/kills';

/** What the issue asks for. */
const KILLS = 200;
const PER_FOLDER = 10;
/** Folders at a time: most of a life is the start of its process. */
const LANES = 3;
const fixture = fileURLToPath(new URL('../fixtures/accepting.ts', import.meta.url));

/** What the processes told: which ids were acknowledged, and each send with whether it was marked. */
interface Told {
  readonly acknowledged: Set<string>;
  readonly sent: Map<string, string[]>;
}

/**
 * Kills processes that accept alerts as fast as they can, at random moments, many times on one folder; then lets one finish.
 * By id: what was acknowledged was sent; what was sent twice was in flight at a kill and is marked.
 */
export async function run({ seconds, seed, log }: ChaosOptions): Promise<ChaosReport> {
  const until = performance.now() + seconds * 1000;
  const violations: string[] = [];
  let runs = 0;
  let acknowledged = 0;
  let repeats = 0;
  let random = seed >>> 0;
  const below = (most: number): number => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return Math.floor((random / 2 ** 32) * most);
  };
  let folders = 0;
  const lane = async (): Promise<void> => {
    while (runs < KILLS && performance.now() < until - 5000 && violations.length === 0) {
      const folder = folders++;
      await using dir = await tempDir();
      const told: Told = { acknowledged: new Set(), sent: new Map() };
      let kills = 0;
      for (; kills < PER_FOLDER && runs < KILLS && performance.now() < until - 5000; kills++) {
        runs++;
        await oneKill(dir.path, `f${folder}k${kills}`, 1 + below(200), told);
      }
      await using last = runNode(fixture, { args: [dir.path, 'finish'] });
      const { code } = await last.exited;
      read(last.stdout, told);
      if (code !== 0)
        violations.push(`folder ${folder}: the last process ended with ${code}: ${last.stderr.slice(-300)}`);
      for (const id of told.acknowledged)
        if (!told.sent.has(id)) violations.push(`${id} was acknowledged and never sent`);
      for (const [id, marks] of told.sent) {
        repeats += marks.length - 1;
        if (marks.slice(1).some((mark) => mark !== 'true')) violations.push(`${id} was sent again and not marked`);
      }
      // 16 at a time may be in flight at a kill.
      const most = kills * 16;
      const again = [...told.sent.values()].filter((marks) => marks.length > 1).length;
      if (again > most) violations.push(`folder ${folder}: ${again} alerts were sent again after ${kills} kills`);
      acknowledged += told.acknowledged.size;
      log(`${runs} kills, ${acknowledged} acknowledged, ${repeats} repeats`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { runs, violations, facts: { acknowledged, repeats } };
}

async function oneKill(dir: string, prefix: string, after: number, told: Told): Promise<void> {
  await using process = runNode(fixture, { args: [dir, prefix] });
  await process.waitFor(new RegExp(`acked ${prefix}-${after}\\b`), 60_000);
  await process.kill();
  await process.exited;
  read(process.stdout, told);
}

function read(text: string, { acknowledged, sent }: Told): void {
  for (const [, word, id, mark] of text.matchAll(/^(acked|sent) (\S+)(?: (true|false))?\n/gm)) {
    if (word === 'acked') acknowledged.add(id!);
    else sent.set(id!, [...(sent.get(id!) ?? []), mark!]);
  }
}
