import type { Channel } from './channel.js';
import { headline, repeatNote } from './message.js';

/** What {@link log} takes. */
export interface LogOptions {
  /** Where a line goes. @defaultValue standard output */
  write?: ((line: string) => void) | undefined;
  /** @defaultValue `'log'` */
  name?: string | undefined;
}

/** Writes one JSON line an alert. It can't fail in practice, so nothing behind it in a chain is ever reached. */
export function log(options: LogOptions = {}): Channel {
  const { write = (line: string) => void process.stdout.write(`${line}\n`), name = 'log' } = options;
  return {
    name,
    async send(alert, context) {
      const note = repeatNote(context);
      write(
        JSON.stringify({
          alert: headline(alert),
          id: alert.id,
          ...(alert.body !== undefined && { body: alert.body }),
          ...(note && { note }),
        }),
      );
    },
  };
}
