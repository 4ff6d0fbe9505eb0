import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needs } from './binaries.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { type Proc, runServer } from './process.js';
import { tempDir } from './temp-dir.js';

/** One route to one webhook. Intervals as Alertmanager writes them (`300ms`, `1s`). */
export interface AlertmanagerRoute {
  webhookUrl: string;
  /** @defaultValue ['alertname'] */
  groupBy?: readonly string[] | undefined;
  /** @defaultValue '200ms' */
  groupWait?: string | undefined;
  /** @defaultValue '1s' */
  groupInterval?: string | undefined;
  /** @defaultValue '1h' */
  repeatInterval?: string | undefined;
  /** Sent as a bearer token. */
  token?: string | undefined;
}

/** What an Alertmanager may be started with. */
export interface AlertmanagerOptions {
  /** A whole configuration file, or one route. */
  config: string | AlertmanagerRoute;
  /** The members it joins. A list, also an empty one, turns the cluster on. @defaultValue undefined: no cluster */
  peers?: readonly Alertmanager[] | undefined;
  /** How long each peer waits for the one before it. @defaultValue '2s' */
  peerTimeout?: string | undefined;
  externalUrl?: string | undefined;
}

/** An alert as a client such as Prometheus posts it. */
export interface PostedAlert {
  labels: Record<string, string>;
  annotations?: Record<string, string> | undefined;
  startsAt?: string | undefined;
  /** In the past: the alert is resolved. */
  endsAt?: string | undefined;
  generatorURL?: string | undefined;
}

/** An Alertmanager on loopback, with data of its own. Disposing kills it and removes the data. */
export interface Alertmanager extends AsyncDisposable {
  readonly url: string;
  readonly clusterAddress: string | undefined;
  /** The configuration file's text. */
  readonly config: string;
  /** What it logged since its last start. */
  readonly logs: string;
  post(alerts: readonly PostedAlert[]): Promise<void>;
  /** Loads the configuration again, a changed one if given. */
  reload(config?: string | AlertmanagerRoute): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL: what it notified since its last snapshot is forgotten. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end: it writes down what it notified. */
  stop(): Promise<void>;
  /** Starts it again after `kill` or `stop`, on the same ports and data. */
  restart(): Promise<void>;
}

/** Starts an Alertmanager and waits until it is ready. @throws when the machine has none: guard with `needs('alertmanager')`. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<Alertmanager> {
  const binary = needs('alertmanager');
  if (!binary)
    throw new Error('no Alertmanager on this machine; get one with: apt-get install prometheus-alertmanager');
  const folder = await tempDir('alertmanager');
  const file = join(folder.path, 'alertmanager.yml');
  process.on('exit', () => rmSync(folder.path, { recursive: true, force: true }));
  let config = textOf(options.config);
  await writeFile(file, config);

  const port = await freePort();
  const clusterAddress = options.peers && `127.0.0.1:${await freePort()}`;
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `--config.file=${file}`,
    `--storage.path=${join(folder.path, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--web.external-url=${options.externalUrl ?? url}`,
    `--cluster.listen-address=${clusterAddress ?? ''}`,
    ...(options.peers ?? []).map((peer) => `--cluster.peer=${peer.clusterAddress}`),
    `--cluster.peer-timeout=${options.peerTimeout ?? '2s'}`,
    // A cluster holds notifications back until it has settled, which takes some tens of these.
    '--cluster.gossip-interval=50ms',
    '--cluster.pushpull-interval=500ms',
  ];
  let proc: Proc;
  const start = async (): Promise<void> => {
    proc = runServer(binary, args, { stdin: 'ignore' });
    const ready = async (): Promise<boolean> => (await fetch(`${url}/-/ready`)).ok;
    const ended = proc.exited.then(({ code }) => {
      throw new Error(`Alertmanager exited with ${code}\n${proc.stderr.slice(-3000)}`);
    });
    await Promise.race([eventually(ready, { timeoutMs: 20_000 }), ended]);
    ended.catch(() => {});
  };

  const alertmanager: Alertmanager = {
    url,
    clusterAddress,
    get config() {
      return config;
    },
    get logs() {
      return proc.stderr;
    },
    async post(alerts) {
      const body = JSON.stringify(alerts);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/api/v2/alerts`, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`);
    },
    async reload(next) {
      if (next !== undefined) config = textOf(next);
      await writeFile(file, config);
      const response = await fetch(`${url}/-/reload`, { method: 'POST' });
      if (!response.ok) throw new Error(`reload failed with ${response.status}: ${await response.text()}`);
    },
    signal: (signal) => proc.signal(signal),
    kill: () => proc.kill(),
    async stop() {
      proc.signal('SIGTERM');
      await proc.exited;
    },
    restart: () => start(),
    async [Symbol.asyncDispose]() {
      await proc.kill();
      await folder[Symbol.asyncDispose]();
    },
  };
  try {
    await start();
    return alertmanager;
  } catch (error) {
    await alertmanager[Symbol.asyncDispose]();
    throw error;
  }
}

/** JSON is YAML. */
function textOf(config: string | AlertmanagerRoute): string {
  if (typeof config === 'string') return config;
  return JSON.stringify({
    global: { resolve_timeout: '5m' },
    route: {
      receiver: 'holdfast',
      group_by: config.groupBy ?? ['alertname'],
      group_wait: config.groupWait ?? '200ms',
      group_interval: config.groupInterval ?? '1s',
      repeat_interval: config.repeatInterval ?? '1h',
    },
    receivers: [
      {
        name: 'holdfast',
        webhook_configs: [
          {
            url: config.webhookUrl,
            send_resolved: true,
            max_alerts: 0,
            ...(config.token ? { http_config: { authorization: { credentials: config.token } } } : {}),
          },
        ],
      },
    ],
  });
}
