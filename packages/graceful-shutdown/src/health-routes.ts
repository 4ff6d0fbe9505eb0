import type { Health } from './health-report.js';

/** Whatever can report its health: a lifecycle. */
export interface HealthSource {
  health(): Health;
}

/** One answer of a health route. */
export interface HealthAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The three routes. */
const HEALTH_PATHS = ['/livez', '/readyz', '/health'] as const;

/**
 * The answer to `method` `path`, `undefined` for any other path. `/livez` is 200 as long as the process answers; `/readyz`
 * is 503 unless the state is `ready`; `/health` is 200 with every component, `ok` or `degraded`.
 */
export function healthAnswer(source: HealthSource, method: string, path: string): HealthAnswer | undefined {
  if (!(HEALTH_PATHS as readonly string[]).includes(path)) return undefined;
  if (method !== 'GET' && method !== 'HEAD')
    return answer(
      405,
      { error: { code: 'METHOD_NOT_ALLOWED', message: `${path} is read with GET` } },
      { allow: 'GET, HEAD' },
    );
  const health = source.health();
  if (path === '/livez') return answer(200, { status: 'ok' });
  if (path === '/readyz')
    return answer(health.ready ? 200 : 503, { status: health.ready ? 'ok' : 'unavailable', state: health.state });
  return answer(200, health);
}

function answer(status: number, body: unknown, headers: Record<string, string> = {}): HealthAnswer {
  const text = `${JSON.stringify(body)}\n`;
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-store',
      ...headers,
    },
    body: text,
  };
}
