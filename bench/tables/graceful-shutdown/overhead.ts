import { createConnection, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Proc, runProcess } from '@holdfast/testkit';
import { interleave, quantile } from '../../runner/statistics.ts';
import type { BenchContext, Row, Spread, Table } from '../../runner/table.ts';

const SERVER = fileURLToPath(new URL('./overhead/server.mjs', import.meta.url));
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const CONNECTIONS = 20;
const SLOW_CLIENTS = 200;

const CASES = {
  'bare node:http': ['node', 'bare', 'node:http'],
  'holdfast on node:http': ['node', 'holdfast', 'node:http'],
  'bare express 5': ['express', 'bare', 'express 5'],
  'holdfast on express 5': ['express', 'holdfast', 'express 5'],
} as const;
type Name = keyof typeof CASES;
const NAMES = Object.keys(CASES) as Name[];

interface Running {
  readonly proc: Proc;
  readonly port: number;
}

async function start(name: Name): Promise<Running> {
  const [framework, around] = CASES[name];
  const proc = runProcess(process.execPath, [SERVER, framework, around], { ipc: true });
  const { port } = await proc.nextMessage<{ port: number }>((message) => 'port' in message, 20_000);
  return { proc, port };
}

/** Microseconds of processor time in the server for each request, `requests` of them on keep-alive connections. */
async function cpuPerRequest({ proc, port }: Running, requests: number): Promise<number> {
  proc.send('start');
  let left = requests;
  await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = createConnection(port, '127.0.0.1');
          const next = (): void => {
            if (left-- > 0) socket.write(GET);
            else socket.end();
          };
          socket.setNoDelay().on('connect', next).on('error', reject);
          socket.on('data', (chunk) => chunk.includes('}') && next()).on('close', () => resolve());
        }),
    ),
  );
  proc.send('stop');
  const { cpuUs } = await proc.nextMessage<{ cpuUs: number }>((message) => 'cpuUs' in message, 20_000);
  return cpuUs / requests;
}

/** The median answer time, in milliseconds, of one client while 200 others drip their bodies a byte every 50 ms. */
async function besideSlowClients({ port }: Running, requests: number): Promise<number> {
  const slow = await Promise.all(
    Array.from(
      { length: SLOW_CLIENTS },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = createConnection(port, '127.0.0.1');
          socket.once('connect', () => resolve(socket)).on('error', reject);
          socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
        }),
    ),
  );
  const drip = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write('x');
  }, 50);
  const socket = createConnection(port, '127.0.0.1').setNoDelay();
  const times: number[] = [];
  try {
    for (let n = 0; n < requests; n++) {
      const began = performance.now();
      await new Promise<void>((resolve) => {
        socket.once('data', () => resolve());
        socket.write(GET);
      });
      times.push(performance.now() - began);
    }
  } finally {
    clearInterval(drip);
    socket.destroy();
    for (const each of slow) each.destroy();
  }
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
}

export const table: Table = {
  name: 'graceful-shutdown/overhead',
  title: 'What a lifecycle and a deadline cost a request',
  about:
    'Processor time (user and system) of the server process for each request, 20 keep-alive connections, the same handler bare and inside a lifecycle with `requestDeadline({ handlerMs, bodyMs })`; and the median answer time of one client beside 200 that send their bodies one byte at a time. Each server in a process of its own.',
  columns: [
    { name: 'CPU', unit: 'µs a request', better: 'lower' },
    { name: 'beside 200 slow clients', unit: 'ms', better: 'lower' },
  ],
  async run({ quick, log }: BenchContext) {
    const servers = {} as Record<Name, Running>;
    for (const name of NAMES) servers[name] = await start(name);
    const each = (measure: (running: Running) => Promise<number>) =>
      Object.fromEntries(NAMES.map((name) => [name, () => measure(servers[name])])) as Record<
        Name,
        () => Promise<number>
      >;
    try {
      for (const name of NAMES) await cpuPerRequest(servers[name], 5_000);
      // Short rounds, many of them: a neighbour on the machine then spoils a few, not the median.
      const cpu = await interleave(
        each((running) => cpuPerRequest(running, 1_500)),
        { rounds: quick ? 5 : 41, warmUp: 2 },
      );
      log('processor time');
      const answer = await interleave(
        each((running) => besideSlowClients(running, 200)),
        { rounds: quick ? 1 : 7, warmUp: quick ? 0 : 1 },
      );
      log('beside slow clients');
      const rows = NAMES.map((name): Row => {
        const [, around, size] = CASES[name];
        const cells = { CPU: cpu[name], 'beside 200 slow clients': answer[name] };
        return { who: name, kind: around === 'bare' ? 'floor' : 'ours', size, cells };
      });
      const target = (claim: string, figures: Record<Name, Spread>, on: string, most: number) => {
        const times = figures[`holdfast on ${on}` as Name].median / figures[`bare ${on}` as Name].median;
        return { claim: `${claim} <= ${most} × bare ${on}`, measured: `${times.toFixed(3)} ×`, met: times <= most };
      };
      return {
        rows,
        targets: [
          target('CPU a request', cpu, 'node:http', 1.2),
          target('CPU a request', cpu, 'express 5', 1.05),
          target('answer time beside 200 slow clients', answer, 'node:http', 1.2),
          target('answer time beside 200 slow clients', answer, 'express 5', 1.2),
        ],
        notes: [
          'express changes the prototype of every request and response, after which each property looked up or added costs some 50 times what it does on a plain response; a layer that does nothing costs 1 to 2 %.',
        ],
      };
    } finally {
      for (const name of NAMES) await servers[name].proc.kill();
    }
  },
};
