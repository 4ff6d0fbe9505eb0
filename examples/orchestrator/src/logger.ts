import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { type DestinationStream, type Logger, pino } from 'pino';
import { pinoHttp } from 'pino-http';

/** Not pino's own, which at exit writes its last line again for ever when nobody reads it any more. */
const STDOUT: DestinationStream = {
  write: (line) => void process.stdout.write(line),
};

/** One JSON line an event. Secrets have no place in it: headers that hold them are removed, addresses lose their query. */
export function createLogger(level: string, destination = STDOUT): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** A request id for each request, sent back in `x-request-id`, and a line for each that went wrong. */
export function accessLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    genReqId(request, response) {
      const given = request.headers['x-request-id'];
      const id = typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
      response.setHeader('x-request-id', id);
      return id;
    },
    customLogLevel: (_request, response, error) => {
      if (error || response.statusCode >= 500) return 'warn';
      return response.statusCode >= 400 ? 'info' : 'debug';
    },
    serializers: {
      req: ({ id, method, url, remoteAddress }: Record<string, unknown>) => ({
        id,
        method,
        path: String(url).split('?', 1)[0]?.slice(0, 200),
        remoteAddress,
      }),
      res: ({ statusCode }: Record<string, unknown>) => ({ statusCode }),
    },
  }) as RequestHandler;
}
