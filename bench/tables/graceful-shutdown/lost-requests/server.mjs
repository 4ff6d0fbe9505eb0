// One service behind one way to shut down: argv[2] names the way, argv[3] is how long a request takes. Its database answers
// 500 once it is closed. Each peer is used as its README says, with its defaults.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [, , way, handlerMs] = process.argv;
const db = { open: true, close: () => (db.open = false) };

async function handle(request, response) {
  if (request.method === 'POST') for await (const _chunk of request);
  await sleep(Number(handlerMs));
  const body = db.open ? 'ok' : 'database closed';
  response.writeHead(db.open ? 200 : 500, { 'content-length': String(body.length) });
  response.end(body);
}
const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
const onTerm = (act) => process.once('SIGTERM', act);
const server = createServer((request, response) => void handle(request, response).catch(() => undefined));
const closed = () => new Promise((resolve) => server.close(resolve));

const ways = {
  'naive exit'() {
    onTerm(() => process.exit(0));
    return listen(server);
  },
  'close awaited'() {
    onTerm(async () => {
      await closed();
      db.close();
      process.exit(0);
    });
    return listen(server);
  },
  async stoppable() {
    const { default: stoppable } = await import('stoppable');
    stoppable(server);
    onTerm(() =>
      server.stop(() => {
        db.close();
        process.exit(0);
      }),
    );
    return listen(server);
  },
  async 'http-terminator'() {
    const { createHttpTerminator } = await import('http-terminator');
    const terminator = createHttpTerminator({ server });
    onTerm(async () => {
      await terminator.terminate();
      db.close();
      process.exit(0);
    });
    return listen(server);
  },
  async terminus() {
    const { createTerminus } = await import('@godaddy/terminus');
    createTerminus(server, { signal: 'SIGTERM', onSignal: async () => db.close() });
    return listen(server);
  },
  async 'close-with-grace'() {
    const { default: closeWithGrace } = await import('close-with-grace');
    closeWithGrace(async () => {
      await closed();
      db.close();
    });
    return listen(server);
  },
  async 'http-graceful-shutdown'() {
    const { default: gracefulShutdown } = await import('http-graceful-shutdown');
    gracefulShutdown(server, { onShutdown: async () => db.close() });
    return listen(server);
  },
  async lightship() {
    const { createLightship } = await import('lightship');
    const lightship = await createLightship({ detectKubernetes: false, port: 0 });
    lightship.registerShutdownHandler(async () => {
      await closed();
      db.close();
    });
    const port = await listen(server);
    lightship.signalReady();
    return port;
  },
  async fastify() {
    const { default: fastify } = await import('fastify');
    const app = fastify();
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    app.all('/*', async (request, reply) => {
      if (request.method === 'POST') for await (const _chunk of request.raw);
      await sleep(Number(handlerMs));
      return reply.code(db.open ? 200 : 500).send(db.open ? 'ok' : 'database closed');
    });
    app.addHook('onClose', async () => db.close());
    onTerm(async () => {
      await app.close();
      process.exit(0);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return app.server.address().port;
  },
  async holdfast() {
    const { createLifecycle } = await import('@holdfast/graceful-shutdown');
    const lifecycle = createLifecycle();
    lifecycle.add('db', { stop: () => db.close() });
    const http = lifecycle.http('http', server, { listen: { port: 0, host: '127.0.0.1' } });
    await lifecycle.run();
    return http.value.port;
  },
};

process.send({ port: await ways[way]() });
process.channel.unref();
