import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { interleave } from '../../runner/statistics.ts';
import type { Row, Spread, Table } from '../../runner/table.ts';

const SERVER = fileURLToPath(new URL('http/server.ts', import.meta.url));
const IN_FLIGHT = 16;
const BARE = ['express bare', 'fastify bare', 'node:http bare'] as const;
const CASES = [
  { who: 'bare express 5', server: 'express bare', kind: 'floor', size: 'express 5' },
  { who: 'holdfast', server: 'express holdfast', kind: 'ours', size: 'express 5' },
  { who: 'express-idempotency 1.0.6', server: 'express express-idempotency', kind: 'peer', size: 'express 5' },
  { who: 'bare fastify 5', server: 'fastify bare', kind: 'floor', size: 'fastify 5' },
  { who: 'holdfast', server: 'fastify holdfast', kind: 'ours', size: 'fastify 5' },
  { who: 'bare node:http', server: 'node:http bare', kind: 'floor', size: 'node:http' },
  { who: 'holdfast', server: 'node:http holdfast', kind: 'ours', size: 'node:http' },
] as const;

export const table: Table = {
  name: 'idempotency/http',
  title: 'Processor time of a server for each request',
  about:
    'Each server is a process of its own that answers POST requests with a small JSON answer; each request has a new key, so that it is claimed, run, stored ' +
    'and sent. Counted is the server’s processor time for each request, so that the client and the rest of the machine do not matter.',
  columns: [{ name: 'processor time', unit: 'µs', better: 'lower' }],
  async run({ quick, log }) {
    const requests = quick ? 400 : 1_500;
    const servers = new Map<string, { child: ChildProcess; port: number }>();
    for (const { server } of CASES) {
      const child = fork(SERVER, [server], { execArgv: ['--import', import.meta.resolve('tsx')] });
      const [{ port }] = (await once(child, 'message')) as [{ port: number }];
      servers.set(server, { child, port });
    }
    let figures: Record<string, Spread>;
    let key = 0;
    try {
      const cases = Object.fromEntries(
        CASES.map(({ server }) => [
          server,
          async () => {
            const { child, port } = servers.get(server)!;
            const before = await cpu(child);
            await load(port, requests, () => `key-${++key}`);
            return ((await cpu(child)) - before) / requests;
          },
        ]),
      );
      figures = await interleave(cases, {
        rounds: quick ? 3 : 8,
        warmUp: 2,
        onRound: (round) => log(`round ${round} done`),
      });
    } finally {
      for (const { child } of servers.values()) child.kill('SIGKILL');
    }
    const rows: Row[] = CASES.map(({ who, server, kind, size }) => ({
      who,
      kind,
      size,
      cells: { 'processor time': figures[server]! },
    }));
    const ratio = (framework: string): number =>
      figures[`${framework} holdfast`]!.median / figures[`${framework} bare`]!.median;
    return {
      rows,
      targets: [
        {
          claim: 'at most 1.2 x bare express 5',
          measured: `${ratio('express').toFixed(2)} x`,
          met: ratio('express') <= 1.2,
        },
      ],
      notes: [
        `Reported without a target: ${BARE.slice(1)
          .map((bare) => bare.replace(' bare', ''))
          .map((name) => `${ratio(name).toFixed(2)} x bare ${name}`)
          .join(', ')}. What is added is the same in microseconds; a thinner framework makes it look larger.`,
        'A profile of the server (6,000 requests, warm): bare express 190 µs a request, with us 315 µs; in the whole profile, its start included, our own functions are 14 %, garbage collection 8 % and writev 19 %. An answer is stored before its last byte is sent, so each one is held, copied, encoded and sent in a second turn; what that alone costs was not measured apart.',
        'What is added: hashing the body, holding the answer back and writing its head apart from it, encoding headers and bytes for the store, and the key and expiry headers. About a third of it is the collection of what is kept for replays.',
        'express-idempotency looks through all its records for each request, so its figure grows with the keys it has seen.',
      ],
    };
  },
};

async function cpu(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message');
  child.send('cpu');
  const [{ user, system }] = (await answer) as [{ user: number; system: number }];
  return user + system;
}

async function load(port: number, requests: number, nextKey: () => string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  let left = requests;
  const body = '{"amount":4200}';
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const headers = {
        'content-type': 'application/json',
        'content-length': body.length,
        'idempotency-key': nextKey(),
      };
      const asked = request({ port, host: '127.0.0.1', path: '/work', method: 'POST', agent, headers });
      asked.end(body);
      const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
      if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`);
      response.resume();
      await once(response, 'end');
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  agent.destroy();
}
