import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/clock';

/** How long a client that is still sending is listened to after its answer. Apache's lingering close uses 2 s; measured: 1 s is heard by all. */
const LINGER_MS = 1_000;

/**
 * Makes the end of `request`'s connection a lingering close: FIN after the answer, then whatever still arrives is read and
 * thrown away until the peer ends too or `LINGER_MS` have passed. Closing at once with unread bytes would send a reset,
 * which takes the answer out of the client's receive buffer before it is read.
 *
 * Call it before the answer is ended. While lingering, `socket.destroy()` without an error waits (express' finalhandler
 * calls it when a handler fails after the answer); an error destroys at once.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
export function lingerAfterAnswer(request: IncomingMessage, clock: Clock): void {
  const socket = request.socket as Socket & { destroySoon(): void };
  if (socket.destroyed || Object.hasOwn(socket, 'destroySoon')) return;
  let over = false;

  const finish = (error?: Error): void => {
    if (over) return;
    over = true;
    cancel();
    socket.off('end', onPeerEnd);
    Reflect.deleteProperty(socket, 'destroySoon');
    Reflect.deleteProperty(socket, 'destroy');
    socket.destroy(error);
  };
  const onPeerEnd = (): void => {
    if (socket.writableFinished) finish();
    else socket.once('finish', () => finish());
  };
  const cancel = clock.schedule(LINGER_MS, finish);

  // http calls destroySoon() when the last answer of a connection has been written.
  socket.destroySoon = () => void socket.end();
  socket.destroy = (error?: Error) => {
    if (error) finish(error);
    return socket;
  };
  socket.on('end', onPeerEnd);
  discardBody(request);
}

/** Reads the rest of a body and throws it away, whoever else was reading it. */
function discardBody(request: IncomingMessage): void {
  request.unpipe();
  request.removeAllListeners('data');
  request.removeAllListeners('readable');
  request.resume();
}
