import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { growth } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { load } from './webhooks/load.ts';
import { naive, orchestrator, type Server, slack } from './webhooks/servers.ts';

const ALERTS_PER_POST = 230;

export const table: Table = {
  name: 'orchestrator/memory',
  title: 'Memory over a million alerts',
  about:
    'Deliveries of 230 alerts, the largest that was captured from an Alertmanager, posted until a million alerts were taken; resident ' +
    'memory of the process is read on the way. Embedded stores, Slack on loopback.',
  columns: [
    { name: 'alerts taken', unit: '', better: 'none' },
    { name: 'resident', unit: 'MB', better: 'lower' },
    { name: 'failed', unit: '', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const marks = quick ? [10_000, 50_000] : [10_000, 100_000, 1_000_000];
    await using provider = await slack();
    const kinds: { who: string; kind: Row['kind']; start(): Promise<Server> }[] = [
      { who: 'orchestrator, embedded', kind: 'ours', start: () => orchestrator(join(dir, 'data'), provider.url) },
      { who: 'naive app', kind: 'peer', start: () => naive(provider.url) },
    ];
    const rows: Row[] = [];
    const curve: { x: number; y: number }[] = [];
    for (const { who, kind, start } of kinds) {
      await using server = await start();
      let next = 0;
      let failed = 0;
      for (const mark of marks) {
        const posts = Math.ceil(mark / ALERTS_PER_POST) - next;
        const result = await load(server.url, { connections: 8, from: next, alerts: ALERTS_PER_POST, posts });
        next = result.next;
        failed += result.failed;
        const resident = residentMegabytes(server.proc.pid);
        log(`${who}: ${next * ALERTS_PER_POST} alerts, ${Math.round(resident)} MB`);
        if (kind === 'ours') curve.push({ x: mark, y: resident });
        const cells = { 'alerts taken': next * ALERTS_PER_POST, resident, failed };
        rows.push({ who, kind, size: `${mark.toLocaleString('en')} alerts`, cells });
      }
    }
    rows.sort(
      (a, b) =>
        marks.findIndex((m) => a.size?.startsWith(m.toLocaleString('en'))) -
        marks.findIndex((m) => b.size?.startsWith(m.toLocaleString('en'))),
    );
    return {
      rows,
      growth: [growth('Resident memory of the orchestrator over alerts taken', curve)],
      notes: ['The naive app keeps one entry per fingerprint and start, as the post-mortem shows it.'],
    };
  },
};

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1000;
}
