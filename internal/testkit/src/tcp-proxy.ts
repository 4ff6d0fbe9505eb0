import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback that breaks what passes through it. Existing connections stay until `dropAll`. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that stand now. */
  readonly connections: number;
  /**
   * Lets the next `n` (default 1) requests reach the target, and resets the connection when the answer's first byte comes
   * back, so that the work is done and its caller never hears. `matching` chooses by a chunk of what the client sent.
   */
  cutNextReply(n?: number, matching?: (sent: Buffer) => boolean): void;
  /** How many replies were cut so far. */
  readonly cuts: number;
  /** Holds every byte, both ways, with the connections left open. */
  stall(): void;
  resume(): void;
  /** New connections are refused. */
  refuse(): Promise<void>;
  /** New connections are accepted again, on the same port. */
  accept(): Promise<void>;
  /** Resets every connection. */
  dropAll(): void;
  close(): Promise<void>;
}

/** Starts a proxy to `targetPort` on 127.0.0.1. */
export async function tcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; target: Socket }>();
  let stalled = false;
  let cutsLeft = 0;
  let cuts = 0;
  let matches: (sent: Buffer) => boolean = () => true;

  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    const pair = { client, target };
    pairs.add(pair);
    client.setNoDelay(true);
    target.setNoDelay(true);
    let cutReply = false;
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      target.destroy();
    };
    const pipe = (from: Socket, to: Socket, pass: (chunk: Buffer) => boolean): void => {
      from.on('data', (chunk) => {
        if (pass(chunk) && !to.write(chunk)) {
          from.pause();
          to.once('drain', () => stalled || from.resume());
        }
      });
      from.on('end', () => to.end());
      from.on('error', end);
      from.on('close', end);
      if (stalled) from.pause();
    };
    pipe(client, target, (chunk) => {
      if (cutsLeft > 0 && !cutReply && matches(chunk)) {
        cutsLeft--;
        cutReply = true;
      }
      return true;
    });
    pipe(target, client, () => {
      if (!cutReply) return true;
      cuts++;
      client.resetAndDestroy();
      end();
      return false;
    });
  });

  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const proxy: TcpProxy = {
    port,
    get connections() {
      return pairs.size;
    },
    cutNextReply(n = 1, matching = () => true) {
      cutsLeft = n;
      matches = matching;
    },
    get cuts() {
      return cuts;
    },
    stall() {
      stalled = true;
      for (const { client, target } of pairs) for (const socket of [client, target]) socket.pause();
    },
    resume() {
      stalled = false;
      for (const { client, target } of pairs) for (const socket of [client, target]) socket.resume();
    },
    refuse: () => stopListening(server),
    accept: () => (server.listening ? Promise.resolve() : listen(port)),
    dropAll() {
      for (const { client, target } of pairs) {
        client.resetAndDestroy();
        target.destroy();
      }
    },
    async close() {
      await stopListening(server);
      proxy.dropAll();
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  };
  return proxy;
}

/** The handle is closed at once; `close`'s callback would wait for the connections too. */
async function stopListening(server: Server): Promise<void> {
  if (server.listening) server.close();
}
