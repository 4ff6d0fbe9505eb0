import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { needs, type Proc, runNode, runProcess, startMongod, tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { startOrchestrator } from './start-orchestrator.js';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const call = promisify(execFile);
const mail = { ALERT_EMAIL_FROM: 'a@example.com', ALERT_EMAIL_TO: 'b@example.com' };
/** In no output, whatever is wrong with the address that it is in. */
const PASSWORD = 'hunter2';

/** Starts it and waits for the end. */
async function refused(dir: string, env: Record<string, string>): Promise<Proc> {
  const proc = runNode(MAIN, { env: { DATA_DIR: dir, PORT: '0', ...env } });
  await proc.exited;
  return proc;
}

describe('an operator who is mistaken', () => {
  it('in a variable reads its name and the rule, never a password and never a stack [P14]', async () => {
    await using dir = await tempDir();
    const cases: [string, Record<string, string>, string][] = [
      ['a port that is none', { PORT: 'abc' }, 'PORT must be a port number'],
      ['a proxy that is none', { TRUST_PROXY: 'true' }, 'TRUST_PROXY must be none, a number'],
      ['a network that is none', { TRUST_PROXY: '10.0.0.0/99' }, 'TRUST_PROXY must be none, a number'],
      ['a password with a bare %', { SMTP_URL: `smtp://u:${PASSWORD}%ZZ@mail`, ...mail }, 'SMTP_URL must be'],
      ['a mail server without a name', { SMTP_URL: `smtp://u:${PASSWORD}@:x`, ...mail }, 'SMTP_URL must be'],
      ['a key with a line end', { SENDGRID_API_KEY: `${PASSWORD}\n`, ...mail }, 'SENDGRID_API_KEY must be visible'],
      ['a token with a line end', { API_TOKEN: `${PASSWORD}\n` }, 'API_TOKEN must be visible'],
      ['an address without https', { SLACK_WEBHOOK_URL: `hooks.slack.com/${PASSWORD}` }, 'SLACK_WEBHOOK_URL must be'],
      ['a database of another kind', { MONGODB_URI: `postgres://u:${PASSWORD}@db/x` }, 'MONGODB_URI must begin'],
      ['an address of a database that is none', { MONGODB_URI: `mongodb://u:${PASSWORD}@@db/x` }, 'malformed'],
      ['an option nobody knows', { MONGODB_URI: `mongodb://u:${PASSWORD}@db/x?odd=1` }, 'option odd is not supported'],
    ];
    await Promise.all(
      cases.map(async ([what, env, words]) => {
        await using proc = await refused(dir.path, env);
        expect([what, (await proc.exited).code, proc.stderr]).toEqual([what, 1, expect.stringContaining(words)]);
        expect(proc.stderr + proc.stdout).not.toContain(PASSWORD);
        expect(proc.stderr).not.toMatch(/^\s+at /m);
      }),
    );
  });

  it('in a port or a folder reads which one, and why [P15]', async () => {
    await using dir = await tempDir();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const file = join(dir.path, 'file');
    await writeFile(file, '');
    const owned = join(dir.path, 'owned');
    const owner = await startOrchestrator(owned);
    await using _owner = owner.proc;
    const cases: [string, Record<string, string>, string[]][] = [
      ['a port that is taken', { DATA_DIR: join(dir.path, 'a'), PORT: String(port) }, ['EADDRINUSE', String(port)]],
      ['a port for probes that is taken', { DATA_DIR: join(dir.path, 'b'), HEALTH_PORT: String(port) }, ['EADDRINUSE']],
      ['a file', { DATA_DIR: file }, [`${file} is a file, not a folder`]],
      ['a folder below a file', { DATA_DIR: join(file, 'data') }, ['ENOTDIR', file]],
      [
        'a file system that lets nobody make a folder',
        { DATA_DIR: '/proc/holdfast/data' },
        ['ENOENT', '/proc/holdfast'],
      ],
      ['a folder of another orchestrator', { DATA_DIR: owned }, [String(owner.proc.pid)]],
    ];
    for (const [what, env, words] of cases) {
      await using proc = await refused(dir.path, env);
      expect([what, (await proc.exited).code]).toEqual([what, 1]);
      for (const word of words) expect([what, proc.stderr]).toEqual([what, expect.stringContaining(word)]);
    }
    expect((await owner.call('/livez')).status).toBe(200);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('in the rights on the folder reads EACCES and its path [P16]', async ({ skip }) => {
    await using dir = await tempDir();
    const folder = join(dir.path, 'of somebody else');
    await mkdir(folder, { mode: 0o555 });
    await chmod(dir.path, 0o755);
    const env = { DATA_DIR: folder, PORT: '0' };
    // To root nothing is forbidden.
    if (process.getuid?.() !== 0) {
      await using proc = await refused(folder, {});
      expect([(await proc.exited).code, proc.stderr]).toEqual([1, expect.stringContaining('EACCES')]);
      return;
    }
    const built = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const canRead = await call('setpriv', [...nobody, '-e', `require('fs').accessSync(${JSON.stringify(built)})`]).then(
      () => true,
      () => false,
    );
    if (!canRead) return skip('nobody else may read what is built here');
    await using proc = runProcess('setpriv', [...nobody, built], { env });
    expect([(await proc.exited).code, proc.stderr]).toEqual([1, expect.stringContaining('EACCES')]);
    expect(proc.stderr).toContain(folder);
  });

  it('in the size of the disk reads ENOSPC and its path, and starts once there is room [P17]', async ({ skip }) => {
    await using dir = await tempDir();
    const mounted = await call('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dir.path]).then(
      () => true,
      () => false,
    );
    if (!mounted) return skip('mounting a tmpfs is not permitted here');
    try {
      const filler = join(dir.path, 'filler');
      await writeFile(filler, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined);
      await using proc = await refused(dir.path, {});
      expect([(await proc.exited).code, proc.stderr]).toEqual([1, expect.stringContaining('ENOSPC')]);
      expect(proc.stderr).toContain(dir.path);
      await writeFile(filler, '');
      const app = await startOrchestrator(dir.path);
      await using _proc = app.proc;
      const post = { groupKey: 'g', alerts: [{ labels: { alertname: 'Room' } }] };
      expect((await app.post('/webhook/alerts', post)).status).toBe(200);
      await app.proc.kill();
    } finally {
      await call('umount', ['-l', dir.path]);
    }
  });

  it.skipIf(!needs('mongod'))(
    'in the password of the database reads so within half a minute, and not the password [P18]',
    async () => {
      await using mongod = await startMongod({ auth: true });
      await using dir = await tempDir();
      const MONGODB_URI = mongod.uriFor('kb').replace(/\/\/[^@]+@/, `//root:${PASSWORD}@`);
      expect(MONGODB_URI).toContain(PASSWORD);
      await using proc = await refused(dir.path, { MONGODB_URI });
      expect([(await proc.exited).code, proc.stderr]).toEqual([
        1,
        expect.stringMatching(/Authentication failed|not authori[sz]ed/i),
      ]);
      expect(proc.stderr).toContain('Failed to initialize persistence layer');
      expect(proc.stderr + proc.stdout).not.toContain(PASSWORD);
    },
  );
});
