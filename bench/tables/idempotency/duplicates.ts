import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Row, Table } from '../../runner/table.ts';
import { holdfast, lruCache, nodeIdempotency, type Peer, powertools } from './peers/peers.ts';

const CALLERS = 1_000;
/** Over sockets, which cost more than what is measured. */
const HTTP_CALLERS = 200;
const WORK_MS = 20;
/** A caller that has no answer by then counts as unanswered. */
const PATIENCE_MS = 8_000;

export const table: Table = {
  name: 'idempotency/duplicates',
  title: '1,000 callers ask for the same key at once',
  about: `Each caller runs the same key at the same moment; the work takes ${WORK_MS} ms. Counted: how often the work was done, how many callers got its answer, how many got an error, how many nothing within ${PATIENCE_MS / 1_000} s, and when the last one had its answer. express-idempotency works on HTTP requests only, so it gets them over a socket, as do we in a row of our own.`,
  columns: [
    { name: 'runs', unit: 'count', better: 'lower' },
    { name: 'answered', unit: 'count', better: 'higher' },
    { name: 'refused', unit: 'count', better: 'lower' },
    { name: 'unanswered', unit: 'count', better: 'lower' },
    { name: 'last answer', unit: 'ms', better: 'lower' },
  ],
  async run() {
    const rows: Row[] = [];
    for (const peer of [holdfast, lruCache, nodeIdempotency, powertools]) rows.push(await inProcess(peer));
    rows.push(await overHttp('holdfast, express 5', 'ours', await ownApp()));
    rows.push(await overHttp('express-idempotency 1.0.6, express 5', 'peer', await peerApp()));
    const ours = rows[0]!.cells;
    return {
      rows,
      targets: [
        {
          claim: 'one run, everybody answered',
          measured: `${ours.runs} run, ${ours.answered} answered`,
          met:
            ours.runs === 1 &&
            ours.answered === CALLERS &&
            rows[4]!.cells.runs === 1 &&
            rows[4]!.cells.answered === HTTP_CALLERS,
        },
      ],
      notes: [
        'node-idempotency can be told to wait (`inProgressStrategy.wait`): then all are answered, by polling at 100 ms. Measured as shipped: refused.',
        'Powertools refuses a concurrent duplicate by design (IdempotencyAlreadyInProgressError): its caller, Lambda, tries again.',
      ],
    };
  },
};

async function inProcess(peer: Peer): Promise<Row> {
  const { run, close } = peer.make(CALLERS);
  let runs = 0;
  const work = async (): Promise<string> => {
    runs++;
    await new Promise((resolve) => setTimeout(resolve, WORK_MS));
    return `answer ${runs}`;
  };
  const cells = await count(CALLERS, () => run('the key', work));
  await close?.();
  return { who: peer.who, kind: peer.kind, size: `${CALLERS.toLocaleString('en')} callers`, cells: { runs, ...cells } };
}

async function count(callers: number, ask: () => Promise<unknown>): Promise<Omit<Row['cells'], 'runs'>> {
  let [answered, refused, unanswered, last] = [0, 0, 0, 0];
  const started = performance.now();
  const all = Array.from({ length: callers }, async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), PATIENCE_MS);
    });
    try {
      if ((await Promise.race([ask(), late])) === 'late') unanswered++;
      else answered++;
      last = performance.now() - started;
    } catch {
      refused++;
    } finally {
      clearTimeout(timer);
    }
  });
  await Promise.all(all);
  return { answered, refused, unanswered, 'last answer': Math.round(last) };
}

interface App {
  readonly handler: express.Express;
  runs(): number;
}

async function overHttp(who: string, kind: Row['kind'], { handler, runs }: App): Promise<Row> {
  // A peer that throws in a promise of nobody would end the process here, as it would end a service.
  const swallow = (): void => undefined;
  process.on('unhandledRejection', swallow);
  const server = handler.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const cells = await count(HTTP_CALLERS, async () => {
    const signal = AbortSignal.timeout(PATIENCE_MS - 100);
    const headers = { 'idempotency-key': 'the-key', 'content-type': 'application/json' };
    const response = await fetch(`http://127.0.0.1:${port}/work`, {
      method: 'POST',
      headers,
      body: '{"a":1}',
      signal,
    }).catch((error: Error) => {
      if (error.name === 'TimeoutError') return new Promise<never>(() => undefined);
      throw error;
    });
    if (!response.ok) throw new Error(String(response.status));
    await response.text();
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  process.off('unhandledRejection', swallow);
  return { who, kind, size: `${HTTP_CALLERS} requests`, cells: { runs: runs(), ...cells } };
}

async function ownApp(): Promise<App> {
  const { createIdempotency } = await import('@holdfast/idempotency');
  const { idempotent } = await import('@holdfast/idempotency/express');
  let runs = 0;
  const app = express().set('env', 'test');
  app.post('/work', express.json(), idempotent(createIdempotency()), async (_request, response) => {
    runs++;
    await new Promise((resolve) => setTimeout(resolve, WORK_MS));
    response.json({ ok: true });
  });
  return { handler: app, runs: () => runs };
}

async function peerApp(): Promise<App> {
  const peer = createRequire(import.meta.url)('express-idempotency') as {
    idempotency(): express.RequestHandler;
    getSharedIdempotencyService(): { isHit(request: unknown): boolean };
  };
  let runs = 0;
  const app = express().set('env', 'test');
  app.post('/work', express.json(), peer.idempotency(), async (request, response) => {
    if (peer.getSharedIdempotencyService().isHit(request)) return;
    runs++;
    await new Promise((resolve) => setTimeout(resolve, WORK_MS));
    response.send({ ok: true });
  });
  return { handler: app, runs: () => runs };
}
