import type { IncomingMessage, ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Clock } from '@holdfast/clock';
import type { GuardPlace } from './late-answer.js';
import { lingerAfterAnswer } from './lingering-close.js';

/** One exchange: the newest one of a connection is the one that may announce `Connection: close`. */
export interface Exchange extends GuardPlace {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly keepAlive: boolean;
}

/** From now on the answer says `Connection: close`, unless it has begun. */
export function announce({ request, response }: Exchange, clock: Clock): void {
  if (response.headersSent) return;
  response.shouldKeepAlive = false;
  if (response.hasHeader('connection')) response.setHeader('connection', 'close');
  // node closes after this answer: one that is given before the body has arrived must still be heard.
  response.prependOnceListener('finish', () => {
    if (!request.complete && !response.shouldKeepAlive) lingerAfterAnswer(request, clock);
  });
}

/** True once the answer has begun as server-sent events. */
export function isEventStream(exchange: Exchange | undefined): boolean {
  // Headers given to writeHead() alone are found nowhere but in the head that was sent.
  const head = (exchange?.response as { _header?: string | null } | undefined)?._header;
  return typeof head === 'string' && /^content-type: *text\/event-stream/im.test(head);
}

/** Tells the connections of one server apart, whatever layer they are seen at. */
export function peerOf(socket: net.Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}|${socket.localPort}`;
}

type Handle = { writeQueueSize?: number };

/** Bytes of the answer that the kernel has not taken: what the stream buffers and what the handle has queued. */
export function unsentBytes(socket: net.Socket, response: ServerResponse): number {
  const queued = (socket as unknown as { _handle?: Handle | null })._handle?.writeQueueSize ?? 0;
  return Math.max(socket.writableLength, queued) + response.writableLength;
}
