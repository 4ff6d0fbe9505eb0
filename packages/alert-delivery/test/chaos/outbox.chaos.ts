import { fileURLToPath } from 'node:url';
import { type ChaosOptions, type ChaosReport, needs, type Proc, runNode, startMongod } from '@holdfast/testkit';

export const part = 'alert-delivery/outbox';

const fixture = fileURLToPath(new URL('../fixtures/outbox-worker.ts', import.meta.url));
const WORKERS = 4;
/** What may be in flight on one worker. */
const IN_FLIGHT = 16;

/** 4 processes, 20,000 alerts on one MongoDB, one process killed on the way. */
export async function run({ seconds, log }: ChaosOptions): Promise<ChaosReport> {
  if (!needs('mongod')) return { runs: 0, violations: [], facts: { skipped: 'no mongod' } };
  return await outbox(20_000, seconds, log);
}

/** The same for any number of alerts. By id: each was sent; what was sent twice was in flight on the one that was killed. */
export async function outbox(alerts: number, seconds: number, log: (line: string) => void): Promise<ChaosReport> {
  const violations: string[] = [];
  await using mongod = await startMongod({ replSet: true });
  const uri = mongod.uriFor('outbox');
  const workers = Array.from({ length: WORKERS }, (_, n) => runNode(fixture, { args: [uri, `w${n}`], ipc: true }));
  try {
    await Promise.all(workers.map((worker) => worker.waitFor('ready', 30_000)));
    const ids = Array.from({ length: alerts }, (_, n) => `alert-${n}`);
    const begun = performance.now();
    const accepted = new Set<string>();
    const share = Math.ceil(alerts / 100);
    let killed = false;
    const feed = async (worker: Proc, mine: readonly string[]): Promise<void> => {
      for (let at = 0; at < mine.length; at += share) {
        const some = mine.slice(at, at + share);
        worker.send({ accept: some });
        await worker.nextMessage((message: { accepted?: number }) => message.accepted === some.length, seconds * 1000);
        for (const id of some) accepted.add(id);
        if (!killed && accepted.size > alerts / 2) {
          killed = true;
          await workers[0]!.kill();
          log(`killed one of ${WORKERS} after ${accepted.size} alerts were accepted`);
        }
      }
    };
    // The one that will be killed is given none: an alert of which nobody was told need not be there.
    const givers = workers.slice(1);
    await Promise.all(
      givers.map((worker, n) =>
        feed(
          worker,
          ids.filter((_, index) => index % givers.length === n),
        ),
      ),
    );
    const until = performance.now() + Math.max(5000, seconds * 1000 - (performance.now() - begun));
    const done = (message: { stats?: { pending: number; accepted: number } }): boolean =>
      message.stats?.pending === 0 && message.stats.accepted === alerts;
    await workers[1]!.nextMessage(done, until - performance.now());
    const ms = Math.round(performance.now() - begun);
    for (const worker of givers) worker.send({ stop: true });
    await Promise.all(givers.map((worker) => worker.exited));
    const sent = new Map<string, { by: string; marked: boolean }[]>();
    for (const { stdout } of workers)
      for (const [, id, by, marked] of stdout.matchAll(/^sent (\S+) (\S+) (true|false) /gm))
        sent.set(id!, [...(sent.get(id!) ?? []), { by: by!, marked: marked === 'true' }]);
    const missing = ids.filter((id) => !sent.has(id));
    if (missing.length > 0) violations.push(`${missing.length} alerts were accepted and never sent: ${missing[0]}`);
    let repeats = 0;
    for (const [id, sends] of sent) {
      if (sends.length === 1) continue;
      repeats++;
      const others = sends.filter(({ by }) => by !== 'w0');
      if (others.length > 1) violations.push(`${id} was sent ${others.length} times by workers that live`);
      if (!others.every(({ marked }) => marked)) violations.push(`${id} was sent again and not marked`);
    }
    if (repeats > IN_FLIGHT) violations.push(`${repeats} repeats, and ${IN_FLIGHT} were in flight`);
    return {
      runs: alerts,
      violations: violations.slice(0, 20),
      facts: { repeats, ms, perSecond: Math.round((alerts / ms) * 1000) },
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}
