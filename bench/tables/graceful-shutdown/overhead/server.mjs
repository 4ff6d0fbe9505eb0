// argv[2]: `node` or `express`; argv[3]: `bare` or `holdfast` (a lifecycle and a deadline around the same handler).
// Told 'start' and 'stop', it says how much processor time it took in between.
import { createServer } from 'node:http';

const [, , framework, around] = process.argv;
const body = Buffer.from('{"ok":true}');
function handle(request, response) {
  if (request.method === 'POST') return request.on('data', () => undefined).on('end', () => answer(response));
  answer(response);
}
function answer(response) {
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', body.length);
  response.end(body);
}
const times = { handlerMs: 60_000, bodyMs: 30_000 };

let server;
if (framework === 'express') {
  const { default: express } = await import('express');
  const app = express();
  if (around === 'holdfast') {
    const { requestDeadline } = await import('@holdfast/graceful-shutdown/express');
    app.use(requestDeadline(times));
  }
  app.all('/', handle);
  server = createServer(app);
} else if (around === 'holdfast') {
  const { requestDeadline } = await import('@holdfast/graceful-shutdown/node');
  const deadline = requestDeadline(times);
  server = createServer((request, response) => deadline(request, response, () => handle(request, response)));
} else server = createServer(handle);

const listen = { port: 0, host: '127.0.0.1' };
if (around === 'holdfast') {
  const { createLifecycle } = await import('@holdfast/graceful-shutdown');
  const lifecycle = createLifecycle();
  lifecycle.http('http', server, { listen });
  await lifecycle.start();
} else await new Promise((resolve) => server.listen(listen, resolve));

let before;
process.on('message', (message) => {
  if (message === 'start') before = process.cpuUsage();
  else {
    const { user, system } = process.cpuUsage(before);
    process.send({ cpuUs: user + system });
  }
});
process.send({ port: server.address().port });
