import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';

/** What the environment says, checked. Every variable is in the README's table. */
export type Config = z.output<typeof environment>;

const milliseconds = (fallback: number, min = 1): z.ZodType<number> =>
  z.coerce
    .number({ error: 'must be a number of milliseconds' })
    .int()
    .min(min)
    .max(2 ** 31 - 1)
    .default(fallback);
const port = z.coerce.number({ error: 'must be a port number' }).int().min(0).max(65_535);
const flag = z.enum(['true', 'false']).default('false');
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https address' });
const addresses = z
  .string()
  .transform((text) => text.split(',').map((each) => each.trim()))
  .pipe(z.array(z.email({ error: 'must be one e-mail address, or several with commas between' })).min(1));

/** It goes into a header. A file's last line end is the usual way for one to slip in. */
const secret = z.string().regex(/^[\x21-\x7e]+$/, 'must be visible ASCII without spaces or line ends');

const environment = z
  .object({
    PORT: port.default(3000),
    HOST: z.string().default('127.0.0.1'),
    DATA_DIR: z
      .string()
      .default('./data')
      .transform((path) => resolve(path)),
    MONGODB_URI: z
      .string()
      .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://')
      .optional(),
    HEALTH_PORT: port.optional(),
    SLACK_WEBHOOK_URL: httpUrl.optional(),
    SENDGRID_API_KEY: secret.optional(),
    SENDGRID_API_URL: httpUrl.optional(),
    SMTP_URL: z
      .string()
      .regex(/^smtps?:\/\//, 'must begin with smtp:// or smtps://')
      .refine(isMailServer, 'must be smtp://user:password@host:port, with % escapes for signs such as @ / : in either')
      .optional(),
    ALERT_EMAIL_FROM: z.email({ error: 'must be an e-mail address' }).optional(),
    ALERT_EMAIL_TO: addresses.optional(),
    ALERT_GROUP_INTERVAL_MS: milliseconds(5 * 60_000),
    ALERT_REPEAT_INTERVAL_MS: z.coerce
      .number({ error: 'must be a number of milliseconds' })
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional(),
    ALERT_PEERS: z.coerce
      .number({ error: 'must be how many Alertmanagers post here' })
      .int()
      .min(1)
      .max(100)
      .default(2),
    ALERT_PEER_TIMEOUT_MS: milliseconds(15_000),
    CHANNEL_TIMEOUT_MS: milliseconds(10_000),
    CHANNEL_RETRIES: z.coerce.number({ error: 'must be how often to retry' }).int().min(0).max(100).default(2),
    SHUTDOWN_TIMEOUT_MS: milliseconds(30_000),
    READINESS_DELAY_MS: milliseconds(0, 0),
    WEBHOOK_TIMEOUT_MS: milliseconds(30_000),
    API_TIMEOUT_MS: milliseconds(10_000),
    CONSOLIDATE_EVERY_MS: milliseconds(60 * 60_000),
    API_TOKEN: secret.optional(),
    ALLOW_UNAUTHENTICATED: flag.transform((text) => text === 'true'),
    TRUST_PROXY: z
      .string()
      .transform((text, context) => {
        const proxies = proxiesOf(text);
        if (proxies !== undefined) return proxies;
        context.addIssue({
          code: 'custom',
          message: 'must be none, a number of proxies, or their addresses with commas between',
        });
        return z.NEVER;
      })
      .optional(),
    LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  })
  .superRefine((config, context) => {
    const refuse = (name: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    if (!config.API_TOKEN && !config.ALLOW_UNAUTHENTICATED && !isLoopback(config.HOST)) {
      refuse(
        'HOST',
        `is ${config.HOST}, which others can reach, and API_TOKEN is not set: set it, or ALLOW_UNAUTHENTICATED=true`,
      );
    }
    for (const name of ['ALERT_EMAIL_FROM', 'ALERT_EMAIL_TO'] as const) {
      const sendsMail = config.SENDGRID_API_KEY !== undefined || config.SMTP_URL !== undefined;
      if (sendsMail && config[name] === undefined) refuse(name, 'is needed to send e-mail');
    }
  });

/** The environment can't be used: one line a variable, and never a value that may be secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration from environment variables. An empty variable counts as unset.
 *
 * @throws ConfigError naming every variable that is wrong and its rule.
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `  ${path[0]?.toString() ?? ''} ${message}`);
  throw new ConfigError(`the environment can't be used:\n${[...new Set(lines)].join('\n')}`);
}

/** Whether only this machine can reach `host`. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}

/** Whether an address names a mail server, and its user and password can be read. */
function isMailServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, username, password } = new URL(text);
  try {
    return hostname !== '' && decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

/** Which proxies to believe: so many hops, or these addresses and networks. `undefined` for what is neither. */
function proxiesOf(text: string): false | number | string[] | undefined {
  if (text === 'none' || text === 'false') return false;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const given = text.split(',').map((each) => each.trim());
  return given.every(isNetwork) ? given : undefined;
}

function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return most > 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
}
