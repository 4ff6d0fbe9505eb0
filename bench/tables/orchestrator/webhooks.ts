import { join } from 'node:path';
import { needs, startMongod } from '@holdfast/testkit';
import { growth, spread } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';
import { load } from './webhooks/load.ts';
import { naive, orchestrator, type Server, slack } from './webhooks/servers.ts';

export const table: Table = {
  name: 'orchestrator/webhooks',
  title: 'Webhook posts per second until durable',
  about:
    'Deliveries of three alerts, each a group of its own, posted over 1, 16 and 64 kept-alive connections to the orchestrator as ' +
    'built and to the same app with the packages taken out. The orchestrator answers when the alerts are on disk (embedded) or on ' +
    'a majority with journal (MongoDB, a single-node replica set on the same disk); the naive app when Slack, on loopback here, has answered.',
  columns: [
    { name: 'posts', unit: '/s', better: 'higher' },
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p99', unit: 'ms', better: 'lower' },
    { name: 'failed', unit: '', better: 'none' },
  ],
  async run({ quick, dir, log }) {
    const sizes = quick ? [1, 16] : [1, 16, 64];
    const rounds = quick ? 1 : 3;
    const seconds = quick ? 1 : 2;
    await using provider = await slack();
    await using mongod = needs('mongod') ? await startMongod({ replSet: true }) : undefined;
    const kinds: { who: string; kind: Row['kind']; start(run: string): Promise<Server> }[] = [
      { who: 'orchestrator, embedded', kind: 'ours', start: (run) => orchestrator(join(dir, run), provider.url) },
      ...(mongod
        ? [
            {
              who: 'orchestrator, MongoDB',
              kind: 'peer' as const,
              start: (run: string) =>
                orchestrator(join(dir, run), provider.url, { MONGODB_URI: mongod.uriFor(`bench_${run}`) }),
            },
          ]
        : []),
      { who: 'naive app, waits for Slack', kind: 'peer', start: () => naive(provider.url) },
      { who: 'naive app, answers first', kind: 'floor', start: () => naive(provider.url, { NAIVE_ANSWER: 'first' }) },
    ];

    const measured = new Map<string, { posts: number[]; p50: number[]; p99: number[]; failed: number }>();
    for (let round = 0; round < rounds; round += 1) {
      for (const [n, { who, start }] of kinds.entries()) {
        await using server = await start(`run-${round}-${n}`);
        let next = (await load(server.url, { connections: 4, from: 0, alerts: 3, seconds: 0.5 })).next;
        for (const size of sizes) {
          const result = await load(server.url, { connections: size, from: next, alerts: 3, seconds });
          next = result.next;
          const key = `${who} ${size}`;
          const figures = measured.get(key) ?? { posts: [], p50: [], p99: [], failed: 0 };
          figures.posts.push(result.postsPerSecond);
          figures.p50.push(result.p50Ms);
          figures.p99.push(result.p99Ms);
          figures.failed += result.failed;
          measured.set(key, figures);
        }
        log(`round ${round + 1} of ${rounds}: ${who}`);
      }
    }

    const rows: Row[] = sizes.flatMap((size) =>
      kinds.map(({ who, kind }) => {
        const { posts, p50, p99, failed } = measured.get(`${who} ${size}`)!;
        const cells = { posts: spread(posts), p50: spread(p50), p99: spread(p99), failed };
        return { who, kind, size: `${size} connections`, cells };
      }),
    );
    return {
      rows,
      growth: [
        growth(
          'Posts per second of the embedded orchestrator over connections',
          sizes.map((size) => ({ x: size, y: spread(measured.get(`orchestrator, embedded ${size}`)!.posts).median })),
        ),
      ],
      notes: [
        'The naive app forgets every alert at a crash, sends copies twice and keeps its Map for ever: what the orchestrator does beyond it ' +
          'is one claim, one durable record, the match with the knowledge base and the bounded history of each post.',
        'Client, server, Slack and mongod share the cores of one machine.',
        ...(mongod ? [] : ['MongoDB was not measured: no mongod on this machine.']),
      ],
    };
  },
};
