import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, MongoClient } from 'mongodb';
import { needs } from './binaries.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { type Proc, runServer } from './process.js';

/** What a mongod may be started with. */
export interface MongodOptions {
  /** A single-node replica set, with change streams and majority writes. @defaultValue false: standalone */
  replSet?: boolean | undefined;
  /** Access control on, with the user `root` / `pass/word` whose credentials are in `uri`. @defaultValue false */
  auth?: boolean | undefined;
  /** More command-line arguments, such as `--setParameter enableTestCommands=1` as two items. */
  args?: readonly string[] | undefined;
}

/** A mongod on loopback with a database folder of its own. Disposing kills it and removes the folder. */
export interface Mongod extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Without a database: add one with {@link Mongod.uriFor}. */
  readonly uri: string;
  /** The connection string that names `database`. */
  uriFor(database: string): string;
  /** SIGKILL. The data stays; `restart` brings it back. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data, killing it first if it runs. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  suspend(): void;
  resume(): void;
}

/** mongod's exit code when its port is taken. */
const PORT_TAKEN = 48;
const READY = '"id":23016';
const USER = { name: 'root', password: 'pass/word' };
const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Starts a mongod and waits until it takes writes. @throws when the machine has none: guard with `needs('mongod')`. */
export async function startMongod(options: MongodOptions = {}): Promise<Mongod> {
  const set = options.replSet || options.auth ? 'rs0' : undefined;
  const member = await startMember({ set, auth: options.auth, args: options.args });
  if (!set) return member;
  try {
    await initiate(member, { _id: set, members: [{ _id: 0, host: `127.0.0.1:${member.port}` }] });
    if (options.auth) {
      await withClient(directUri(member.port), (client) =>
        client.db('admin').command({ createUser: USER.name, pwd: USER.password, roles: ['root'] }),
      );
    }
    return member;
  } catch (error) {
    await member[Symbol.asyncDispose]();
    throw error;
  }
}

/** Members of one replica set, on one host. */
export interface ReplicaSet extends AsyncDisposable {
  readonly uri: string;
  uriFor(database: string): string;
  readonly members: readonly Mongod[];
  /** The member that is primary now, waited for up to 30 s. */
  primary(): Promise<Mongod>;
  /** Makes the primary step down for 10 s; resolves when another member is primary. */
  stepDown(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a replica set whose failover takes about 3 s. */
export async function startReplicaSet(
  options: { members?: number | undefined; args?: readonly string[] | undefined } = {},
): Promise<ReplicaSet> {
  const set = 'rs0';
  const count = options.members ?? 3;
  const members = await Promise.all(Array.from({ length: count }, () => startMember({ set, args: options.args })));
  const uriFor = (database: string): string =>
    `mongodb://${members.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${database}?replicaSet=${set}`;
  const isPrimary = (member: Mongod): Promise<boolean> =>
    withClient(directUri(member.port, 1_000), async (client) => (await hello(client)).isWritablePrimary === true).catch(
      () => false,
    );
  const primary = (): Promise<Mongod> =>
    eventually(
      async () => {
        for (const member of members) if (await isPrimary(member)) return member;
        return undefined;
      },
      { timeoutMs: 30_000, everyMs: 100 },
    );

  const replicaSet: ReplicaSet = {
    uri: uriFor(''),
    uriFor,
    members,
    primary,
    async stepDown() {
      const old = await primary();
      await withClient(directUri(old.port), (client) =>
        client.db('admin').command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 }),
      );
      await eventually(async () => (await primary()) !== old, { timeoutMs: 30_000, everyMs: 100 });
    },
    async close() {
      await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    },
    [Symbol.asyncDispose]: () => replicaSet.close(),
  };
  try {
    await initiate(members[0]!, {
      _id: set,
      members: members.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}` })),
      settings: { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 },
    });
    await primary();
    return replicaSet;
  } catch (error) {
    await replicaSet.close();
    throw error;
  }
}

async function startMember(options: {
  set: string | undefined;
  auth?: boolean | undefined;
  args?: readonly string[] | undefined;
}): Promise<Mongod> {
  const binary = needs('mongod');
  if (!binary)
    throw new Error('no mongod on this machine; get one with: node --import tsx internal/testkit/src/fetch-mongod.ts');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mongod-'));
  folders.add(folder);
  const more = options.args ?? [];
  const args = [...memberArgs(folder, options.set, more.includes('--oplogSize')), ...more];
  if (options.auth) {
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, Buffer.from('a key for tests only').toString('base64'));
    chmodSync(keyFile, 0o400);
    args.push('--auth', '--keyFile', keyFile);
  }
  const start = (port: number): Promise<Proc> => launch(binary, ['--port', String(port), ...args]);

  let port = await freePort();
  let proc = await start(port).catch(async (error: Error & { exitCode?: number | null }) => {
    if (error.exitCode !== PORT_TAKEN) throw error;
    port = await freePort();
    return start(port);
  });

  const login = options.auth ? `${USER.name}:${encodeURIComponent(USER.password)}@` : '';
  const query = [options.set && `replicaSet=${options.set}`, options.auth && 'authSource=admin']
    .filter(Boolean)
    .join('&');
  const uriFor = (database: string): string => `mongodb://${login}127.0.0.1:${port}/${database}${query && `?${query}`}`;
  const mongod: Mongod = {
    port,
    uri: uriFor(''),
    uriFor,
    get pid() {
      return proc.pid;
    },
    kill: () => proc.kill(),
    async stop() {
      proc.signal('SIGTERM');
      await proc.exited;
    },
    async restart() {
      await proc.kill();
      proc = await start(port);
      if (!options.set) return;
      await withClient(directUri(port), (client) =>
        eventually(async () => {
          const answer = await hello(client);
          return answer.isWritablePrimary === true || (answer.secondary === true && answer.hosts.length > 1);
        }),
      );
    },
    suspend: () => proc.signal('SIGSTOP'),
    resume: () => proc.signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await proc.kill();
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
    },
  };
  return mongod;
}

/** Small on disk (5 MB, not 300) and quick to stop. */
function memberArgs(folder: string, set: string | undefined, ownOplogSize: boolean): string[] {
  return [
    ...['--bind_ip', '127.0.0.1', '--dbpath', folder, '--nounixsocket', '--wiredTigerCacheSizeGB', '0.25'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=0'],
    ...['--wiredTigerEngineConfigString', 'log=(prealloc=false,file_max=4MB)'],
    ...(set ? ['--replSet', set] : []),
    ...(set && !ownOplogSize ? ['--oplogSize', '64'] : []),
  ];
}

async function launch(binary: string, args: readonly string[]): Promise<Proc> {
  const proc = runServer(binary, args, { stdin: 'ignore' });
  try {
    await proc.waitFor(READY, 20_000);
    return proc;
  } catch (error) {
    await proc.kill();
    const { code } = await proc.exited;
    throw Object.assign(new Error(`mongod did not start: ${(error as Error).message}`, { cause: error }), {
      exitCode: code,
    });
  }
}

async function initiate(member: Mongod, config: Document): Promise<void> {
  await withClient(directUri(member.port), async (client) => {
    await client.db('admin').command({ replSetInitiate: config });
    if (config.members.length === 1) await eventually(async () => (await hello(client)).isWritablePrimary === true);
  });
}

const hello = (client: MongoClient): Promise<Document> => client.db('admin').command({ hello: 1 });
const directUri = (port: number, timeoutMs = 10_000): string =>
  `mongodb://127.0.0.1:${port}/?directConnection=true&serverSelectionTimeoutMS=${timeoutMs}&socketTimeoutMS=${timeoutMs}`;

async function withClient<T>(uri: string, fn: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri);
  try {
    return await fn(client);
  } finally {
    await client.close();
  }
}
