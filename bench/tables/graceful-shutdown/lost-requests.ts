import { fileURLToPath } from 'node:url';
import { cachedNode, type Proc, runProcess } from '@holdfast/testkit';
import { connect } from '../../../packages/graceful-shutdown/test/fixtures/exchange.ts';
import { startLoad } from '../../../packages/graceful-shutdown/test/fixtures/load.ts';
import { spread } from '../../runner/statistics.ts';
import type { BenchContext, Cell, Row, Table } from '../../runner/table.ts';

const SERVER = fileURLToPath(new URL('./lost-requests/server.mjs', import.meta.url));
const OURS = 'holdfast';
/** Slow to exit first: the others run beside them. */
const WAYS = [
  'close-with-grace',
  'lightship',
  'close awaited',
  'naive exit',
  'stoppable',
  'http-terminator',
  'terminus',
  'http-graceful-shutdown',
  'fastify',
  OURS,
];
/** A process that has not ended by then is killed, and the table says so. */
const PATIENCE_MS = 13_000;

interface Outcome {
  readonly lost: number;
  readonly of: number;
  readonly serverErrors: number;
  readonly exitMs: number;
  /** The exit code, the name of the signal that ended it, or `killed`. */
  readonly exit: string;
}
type Scenario = (port: number, proc: Proc) => Promise<Outcome>;

async function terminate(proc: Proc): Promise<Pick<Outcome, 'exitMs' | 'exit'>> {
  const began = performance.now();
  proc.signal('SIGTERM');
  let patience: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    patience = setTimeout(() => resolve(undefined), PATIENCE_MS);
  });
  const ended = await Promise.race([proc.exited, late]);
  clearTimeout(patience);
  const exitMs = performance.now() - began;
  if (ended === undefined) await proc.kill();
  return { exitMs, exit: ended ? String(ended.code ?? ended.signal) : 'killed' };
}

const underLoad =
  (perConnection: number, pauseMs: (client: number) => number = () => 0): Scenario =>
  async (port, proc) => {
    const load = startLoad({ port, clients: 50, perConnection, pauseMs });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const ended = await terminate(proc);
    const { lost, answered, byStatus } = await load.stop();
    let serverErrors = 0;
    for (const [status, count] of Object.entries(byStatus)) if (status.startsWith('5')) serverErrors += count;
    return { ...ended, lost, of: lost + answered, serverErrors };
  };

const inFlight: Scenario = async (port, proc) => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(port)));
  for (const { socket } of clients) socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ended = await terminate(proc);
  await Promise.all(clients.map((client) => client.ended));
  const answers = clients.map(({ received }) => received.slice(9, 12));
  return {
    ...ended,
    lost: answers.filter((status) => status === '').length,
    of: 10,
    serverErrors: answers.filter((status) => status.startsWith('5')).length,
  };
};

/** One byte a second, for ever: the answer it can get is a 408. */
const slowBody: Scenario = async (port, proc) => {
  const client = await connect(port);
  client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx');
  const drip = setInterval(() => client.socket.writable && client.socket.write('x'), 1_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ended = await terminate(proc);
  clearInterval(drip);
  client.socket.destroy();
  return { ...ended, lost: client.received === '' ? 1 : 0, of: 1, serverErrors: 0 };
};

const SCENARIOS: Record<string, { handlerMs: number; rounds: number; quick: boolean; abreast: number; run: Scenario }> =
  {
    'A: 50 keep-alive, 200 ms': {
      handlerMs: 200,
      rounds: 2,
      quick: false,
      abreast: 2,
      run: underLoad(Number.POSITIVE_INFINITY),
    },
    'A2: 50, one connection a request': { handlerMs: 200, rounds: 2, quick: true, abreast: 3, run: underLoad(1) },
    'A3: 50 mixed': {
      handlerMs: 200,
      rounds: 1,
      quick: false,
      abreast: 2,
      run: underLoad(4, (client) => (client % 2) * 37 * (client % 7)),
    },
    'N: 50 new ones at a time, 0 ms': { handlerMs: 0, rounds: 2, quick: true, abreast: 3, run: underLoad(1) },
    '10 in flight, 3 s': { handlerMs: 3_000, rounds: 1, quick: false, abreast: 10, run: inFlight },
    'a body that drips': { handlerMs: 0, rounds: 1, quick: false, abreast: 10, run: slowBody },
  };

async function once(way: string, scenario: { handlerMs: number; run: Scenario }): Promise<Outcome | string> {
  const execPath = way === 'lightship' ? cachedNode(22) : process.execPath;
  if (execPath === undefined) return 'needs Node 22: node --import tsx internal/testkit/src/fetch-node.ts';
  const proc = runProcess(execPath, [SERVER, way, String(scenario.handlerMs)], { ipc: true });
  try {
    const { port } = await proc.nextMessage<{ port: number }>((message) => 'port' in message, 20_000);
    return await scenario.run(port, proc);
  } finally {
    await proc.kill();
  }
}

/** Runs `tasks`, a few at a time, in order. */
async function abreast(count: number, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const left = [...tasks];
  const lane = async (): Promise<void> => {
    for (let task = left.shift(); task; task = left.shift()) await task();
  };
  await Promise.all(Array.from({ length: count }, lane));
}

function rowOf(way: string, size: string, outcomes: readonly (Outcome | string)[]): Row {
  const kind = way === OURS ? 'ours' : way === 'naive exit' || way === 'close awaited' ? 'floor' : 'peer';
  const seen = outcomes.filter((outcome) => typeof outcome !== 'string');
  if (seen.length === 0) return { who: way, kind, size, cells: { 'lost a run': String(outcomes[0]) } };
  const column = (figure: (outcome: Outcome) => number): Cell => spread(seen.map(figure));
  return {
    who: way,
    kind,
    size,
    cells: {
      'lost a run': column(({ lost }) => lost),
      requests: column(({ of }) => of),
      exit: column(({ exitMs }) => Math.round(exitMs)),
      'exit code': [...new Set(seen.map(({ exit }) => exit))].join(', '),
      '5xx': column(({ serverErrors }) => serverErrors),
    },
  };
}

export const table: Table = {
  name: 'graceful-shutdown/lost-requests',
  title: 'What SIGTERM costs',
  about:
    'A service with a database is sent SIGTERM, in a process of its own, while clients use it over raw sockets. Lost: connected, request written, no complete answer; a refused connection is not lost. Each peer as its README says, with its defaults; whoever has not ended after 13 s is killed.',
  columns: [
    { name: 'lost a run', unit: 'requests', better: 'lower' },
    { name: 'requests', unit: 'count', better: 'none' },
    { name: 'exit', unit: 'ms', better: 'lower' },
    { name: 'exit code', unit: '', better: 'none' },
    { name: '5xx', unit: 'answers', better: 'lower' },
  ],
  async run({ quick, log }: BenchContext) {
    const rows: Row[] = [];
    const lostByUs: number[] = [];
    for (const [size, scenario] of Object.entries(SCENARIOS)) {
      if (quick && !scenario.quick) continue;
      const outcomes = new Map<string, (Outcome | string)[]>(WAYS.map((way) => [way, []]));
      for (let round = 0; round < (quick ? 1 : scenario.rounds); round++) {
        const lanes = quick ? 4 : scenario.abreast;
        await abreast(
          lanes,
          WAYS.map((way) => async () => void outcomes.get(way)!.push(await once(way, scenario))),
        );
      }
      for (const [way, seen] of outcomes) rows.push(rowOf(way, size, seen));
      for (const outcome of outcomes.get(OURS)!)
        if (typeof outcome !== 'string' && !size.startsWith('N')) lostByUs.push(outcome.lost);
      log(size);
    }
    const lost = lostByUs.reduce((sum, count) => sum + count, 0);
    return {
      rows,
      targets: [
        {
          claim: 'nothing is lost, outside of N',
          measured: `${lost} lost in ${lostByUs.length} runs`,
          met: lost === 0,
        },
      ],
      notes: [
        'N: connections that the kernel has queued when the listener closes are lost by everybody; `readinessDelayMs` is for them.',
        'close-with-grace and lightship end keep-alive load by their timeouts (10 s and 5 s) and exit 1; `close awaited` serves on while clients keep asking.',
        'A body that drips has no answer but 408; whoever waits for its end never exits.',
      ],
    };
  },
};
