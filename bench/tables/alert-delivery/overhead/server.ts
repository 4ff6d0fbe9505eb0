import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Takes every post. In a process of its own, so that its work is not counted. */
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200).end('ok'));
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
