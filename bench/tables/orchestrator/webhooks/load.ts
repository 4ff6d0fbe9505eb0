import { Agent, request } from 'node:http';
import { quantile } from '../../../runner/statistics.ts';

/** A delivery as Alertmanager makes it: a group of its own for each `n`, so that none is another's copy. */
export function delivery(n: number, alerts: number): string {
  const startsAt = new Date(1_700_000_000_000 + n).toISOString();
  return JSON.stringify({
    version: '4',
    receiver: 'bench',
    status: 'firing',
    groupKey: `{}:{alertname="Load",n="${n}"}`,
    truncatedAlerts: 0,
    externalURL: 'http://alertmanager.example:9093',
    groupLabels: { alertname: 'Load' },
    commonLabels: { alertname: 'Load', severity: 'warning' },
    commonAnnotations: {},
    alerts: Array.from({ length: alerts }, (_, at) => ({
      status: 'firing',
      labels: { alertname: 'Load', instance: `db-${at}:9100`, job: 'node', severity: 'warning', n: String(n % 10_000) },
      annotations: { summary: `Load on db-${at}:9100`, description: 'the load average is above the number of cores' },
      startsAt,
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus.example:9090/graph?g0.expr=Load&g0.tab=1',
      fingerprint: (((n % 10_000) * 1000 + at) >>> 0).toString(16).padStart(16, '0'),
    })),
  });
}

export interface Load {
  postsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers that were no 200. */
  failed: number;
}

/** Posts over `connections` kept-alive connections, one at a time on each, until `seconds` are over or `posts` were made. */
export async function load(
  url: string,
  options: { connections: number; from: number; alerts: number; seconds?: number; posts?: number },
): Promise<Load & { next: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  const started = performance.now();
  const until = started + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const last = options.from + (options.posts ?? Number.POSITIVE_INFINITY);
  const times: number[] = [];
  let next = options.from;
  let failed = 0;
  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      while (performance.now() < until && next < last) {
        const body = delivery(next++, options.alerts);
        const sent = performance.now();
        if ((await post(`${url}/webhook/alerts`, body, agent)) !== 200) failed += 1;
        times.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  times.sort((a, b) => a - b);
  return {
    postsPerSecond: times.length / seconds,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    failed,
    next,
  };
}

function post(url: string, body: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sending.on('error', reject);
    sending.end(body);
  });
}
