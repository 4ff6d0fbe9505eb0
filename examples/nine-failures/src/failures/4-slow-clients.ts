import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, NOTHING } from '../failure.js';
import { serve } from '../program.js';

/**
 * Clients that send their body a byte at a time, clients that never stop sending, and requests whose handler never ends.
 * Each deserves an answer that it really receives, and after it the connection should be free.
 */
export const slowClients: Failure = {
  number: 4,
  title: 'slow clients and slow handlers hold connections for ever',
  before: [
    { program: '4-no-timeout', from: 'post-mortem, src/index.ts' },
    { program: '4-destroy-after-408', from: "post-mortem's minimal fix, src/middleware/timeout.ts" },
  ],
  after: { program: '4-deadlines', from: '@holdfast/graceful-shutdown' },
  async run(program, { short }) {
    await using server = await serve(program, {});
    const count = short ? 5 : 20;
    const clients = [
      ...Array.from({ length: count }, () => slowSender(server.port, 'x', 100)),
      ...Array.from({ length: count }, () => slowSender(server.port, 'x'.repeat(16_384), 5)),
      ...Array.from({ length: count }, () => slowHandler(server.port)),
    ];
    await sleep(6_000);
    const held = clients.filter((client) => !client.ended && client.status === undefined).length;
    const unanswered = clients.filter((client) => client.ended && client.status === undefined).length;
    const neverRetried = clients.filter((client) => client.kind === 'handler' && client.status === 408).length;
    for (const client of clients) client.stop();
    const wrong = [
      ...(unanswered > 0 ? [`${unanswered} cut off without an answer`] : []),
      ...(neverRetried > 0 ? [`${neverRetried} slow handlers answered 408, which Alertmanager never retries`] : []),
    ];
    return { ...NOTHING, acknowledged: clients.length, hung: held, wrong };
  },
};

interface Client {
  readonly kind: 'sender' | 'handler';
  status: number | undefined;
  ended: boolean;
  stop(): void;
}

function slowSender(port: number, piece: string, everyMs: number): Client {
  const head =
    'POST /webhook/alerts HTTP/1.1\r\nhost: drill\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n';
  return client(port, 'sender', (socket) => {
    socket.write(`${head}{"alerts":"`);
    const timer = setInterval(() => {
      if (socket.writable && socket.writableLength < 65_536) socket.write(piece);
    }, everyMs);
    socket.once('close', () => clearInterval(timer));
  });
}

function slowHandler(port: number): Client {
  return client(port, 'handler', (socket) => socket.write('GET /slow HTTP/1.1\r\nhost: drill\r\n\r\n'));
}

function client(port: number, kind: Client['kind'], talk: (socket: Socket) => void): Client {
  const socket = connect(port, '127.0.0.1');
  const self: Client = { kind, status: undefined, ended: false, stop: () => socket.destroy() };
  let heard = '';
  socket.on('connect', () => talk(socket));
  socket.on('data', (data) => {
    heard += data.toString('latin1');
    const answer = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n/.exec(heard);
    if (answer) self.status = Number(answer[1]);
  });
  // A reset is the fact to be counted: `close` follows, and `status` says whether an answer came before it.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    self.ended = true;
  });
  return self;
}
