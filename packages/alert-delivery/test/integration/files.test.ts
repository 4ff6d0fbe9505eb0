// Over 300 lines: what is on disk is looked at from one side only here, the bytes; each case is short.
import { appendFile, cp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manualClock } from '@holdfast/clock';
import { runNode, tempDir } from '@holdfast/testkit';
import { SMTPServer } from 'smtp-server';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../src/command.js';
import { type Channel, type DeliveryEvent, fileStore, isDeliveryError, openDelivery } from '../../src/index.js';

const ok: Channel = { name: 'a', send: async () => undefined };
const fails: Channel = { name: 'a', send: async () => Promise.reject(new Error('no')) };
const step = { retries: 0, breaker: false } as const;

/** A folder with three delivered alerts, two dead letters and one that is pending. */
async function filled(dir: string): Promise<void> {
  const hangs: Channel = { name: 'hangs', send: () => new Promise(() => undefined) };
  const delivery = await openDelivery({
    chain: ({ title }) => [{ ...step, channel: title === 'dead' ? fails : title === 'pending' ? hangs : ok }],
    store: fileStore({ dir }),
  });
  for (let n = 0; n < 3; n++) await delivery.notify({ id: `ok-${n}`, title: 'fine', severity: 'info' });
  for (let n = 0; n < 2; n++)
    await delivery.notify({ id: `dead-${n}`, title: 'dead', severity: n === 0 ? 'critical' : 'info' });
  await delivery.accept({ id: 'pending-0', title: 'pending', severity: 'error' });
  await delivery.close({ timeoutMs: 0 });
}

async function logs(dir: string): Promise<string[]> {
  const names = await readdir(dir, { recursive: true });
  return names.filter((name) => name.endsWith('.log')).map((name) => join(dir, name));
}

async function command(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCommand(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  });
  return { code, out, err };
}

describe('fileStore', () => {
  it('loses at most the unterminated last record, wherever the journal is cut [P63]', async () => {
    await using dir = await tempDir();
    await filled(join(dir.path, 'whole'));
    const [log] = await logs(join(dir.path, 'whole'));
    const { size } = await stat(log!);
    let before = 6;
    for (let cut = 0; cut < 12; cut++) {
      const copy = join(dir.path, `cut-${cut}`);
      await cp(join(dir.path, 'whole'), copy, { recursive: true });
      await truncate((await logs(copy))[0]!, size - cut * 97);
      await using delivery = await openDelivery({ chain: [{ ...step, channel: ok }], store: fileStore({ dir: copy }) });
      const { accepted, lawHolds } = delivery.stats();
      expect(lawHolds).toBe(true);
      expect(accepted).toBeLessThanOrEqual(before);
      expect(accepted).toBeGreaterThanOrEqual(before - 1);
      before = accepted;
    }
  });

  it('sets damage in the middle aside, counts it, and loads the rest; or refuses, if it is told to [P64]', async () => {
    await using dir = await tempDir();
    await filled(dir.path);
    const [log] = await logs(dir.path);
    const lines = (await readFile(log!, 'utf8')).split('\n');
    const hit = lines.findIndex((line) => line.includes('"ok-1"') && line.includes('"in"'));
    lines[hit] = lines[hit]!.replace('fine', 'fiNe');
    await writeFile(log!, lines.join('\n'));
    const options = { chain: [{ ...step, channel: ok }] };
    const error: unknown = await openDelivery({
      ...options,
      store: fileStore({ dir: dir.path, onDamage: 'refuse' }),
    }).catch((reason: unknown) => reason);
    expect(isDeliveryError(error, 'DELIVERY_STORE_FAILED') && error.kind).toBe('damaged');
    await using delivery = await openDelivery({ ...options, store: fileStore({ dir: dir.path }) });
    expect(delivery.recovered.quarantinedBytes).toBeGreaterThan(0);
    expect(await delivery.explain('ok-1')).toBeUndefined();
    expect(await delivery.explain('ok-2')).toMatchObject({ status: 'delivered' });
    expect(delivery.stats()).toMatchObject({ accepted: 5, lawHolds: true });
  });

  it('passes over files and lines that are none of its own [P65]', async () => {
    await using dir = await tempDir();
    await filled(dir.path);
    await writeFile(join(dir.path, 'notes.txt'), '\0\0\r\n');
    await appendFile(join(dir.path, 'ended', 'dead-00000001.jsonl'), '\0\0\0 not a line\r\n');
    await using delivery = await openDelivery({
      chain: [{ ...step, channel: ok }],
      store: fileStore({ dir: dir.path }),
    });
    expect(delivery.stats()).toMatchObject({ accepted: 6, dead: 2, lawHolds: true });
    const ids: string[] = [];
    for await (const { id } of delivery.dead()) ids.push(id);
    expect(ids).toEqual(['dead-0', 'dead-1']);
  });

  it('sends again after a crash what was begun, and skips the steps that were given up [P66]', async () => {
    await using dir = await tempDir();
    const hangs: Channel = { name: 'b', send: () => new Promise(() => undefined) };
    const first = await openDelivery({
      chain: [
        { ...step, channel: fails },
        { ...step, channel: hangs },
      ],
      store: fileStore({ dir: dir.path }),
    });
    await first.accept({ id: 'x', title: 't', severity: 'error' });
    await expect.poll(() => first.stats().channels.b?.active).toBe(1);
    await first.close({ timeoutMs: 0 });
    const calls: string[] = [];
    const named = (name: string): Channel => ({
      name,
      async send(_alert, { maybeRepeat, recovered }) {
        calls.push(`${name} ${maybeRepeat} ${recovered}`);
      },
    });
    await using second = await openDelivery({
      chain: [{ channel: named('a') }, { channel: named('b') }],
      store: fileStore({ dir: dir.path }),
    });
    await second.flush();
    expect(calls).toEqual(['b true true']);
  });

  it('stops in time, once, leaves the rest to the next process at once, and keeps no idle process alive [P67]', async () => {
    await using dir = await tempDir();
    const hangs: Channel = { name: 'a', send: () => new Promise(() => undefined) };
    const delivery = await openDelivery({ chain: [{ channel: hangs }], store: fileStore({ dir: dir.path }) });
    const pending = delivery.notify({ id: 'x', title: 't', severity: 'error' });
    const begun = performance.now();
    const closing = delivery.close({ timeoutMs: 200 });
    expect(delivery.close()).toBe(closing);
    expect(await closing).toMatchObject({ journaled: 1, lawHolds: true });
    expect(performance.now() - begun).toBeLessThan(2500);
    expect(await pending).toEqual({ status: 'journaled', id: 'x' });
    await expect(delivery.accept({ title: 't', severity: 'info' })).rejects.toMatchObject({ code: 'DELIVERY_CLOSED' });
    await using second = await openDelivery({ chain: [{ channel: ok }], store: fileStore({ dir: dir.path }) });
    await second.flush();
    expect(second.stats()).toMatchObject({ delivered: 1 });
    await using idle = runNode(fileURLToPath(new URL('../fixtures/idle.ts', import.meta.url)));
    expect((await idle.exited).code).toBe(0);
  });

  it('shows no secret in anything that it prints, tells, stores or throws [P68]', async () => {
    await using dir = await tempDir();
    const server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (auth, _session, done) =>
        done(Object.assign(new Error(`no ${String(auth.username)} ${String(auth.password)}`), { responseCode: 535 })),
    });
    server.on('error', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.server.address() as { port: number };
    const canaries = [
      'T0CANARYurl0123456789',
      'SG.canarytoken01234.canarytoken56789',
      'canary-smtp-pass',
      'canary-in-a-cause',
    ];
    const fixture = fileURLToPath(new URL('../fixtures/secrets.ts', import.meta.url));
    await using child = runNode(fixture, { args: [dir.path, ...canaries, String(port)] });
    expect((await child.exited).code).toBe(0);
    server.close();
    expect(child.stdout).toContain('"type":"heartbeat.failed"');
    const names = await readdir(dir.path, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    expect(files.some((file) => file.endsWith('failed-alerts.jsonl'))).toBe(true);
    const texts = [child.stdout, child.stderr, ...(await Promise.all(files.map((file) => readFile(file, 'utf8'))))];
    for (const canary of canaries) {
      const forms = [canary, encodeURIComponent(canary), Buffer.from(canary).toString('base64')];
      expect(forms.filter((form) => texts.some((text) => text.includes(form)))).toEqual([]);
    }
    for (const file of files) expect([file, (await stat(file)).mode & 0o077]).toEqual([file, 0]);
  });
});

describe('the command line', () => {
  it('lists, explains, verifies and re-queues, and changes nothing but by replay [P69]', async () => {
    await using dir = await tempDir();
    await filled(dir.path);
    const before = (await readdir(dir.path, { recursive: true })).sort();
    const list = await command('list', dir.path);
    expect([list.code, list.out.split('\n').filter(Boolean).length]).toEqual([0, 2]);
    expect(list.out).toMatch(/critical exhausted after 1 attempts: dead-0 dead/);
    const json = await command('list', dir.path, '--json', '--severity', 'critical');
    expect(JSON.parse(json.out)).toMatchObject({
      v: 1,
      id: 'dead-0',
      reason: 'exhausted',
      attempts: [{ channel: 'a' }],
    });
    const verify = await command('verify', dir.path);
    expect(verify.out).toContain('accepted 6 = delivered 3 + coalesced 0 + dead 2 + pending 1 + evicted 0: holds');
    expect(verify.code).toBe(0);
    const explain = await command('explain', dir.path, 'dead-0');
    expect(explain.out).toMatch(
      /dead-0: dead, critical, dead\n.* accepted\n.* started .*\n.* attempted .*verdict=transient/,
    );
    expect(await command('explain', dir.path, 'nobody')).toMatchObject({ code: 1, out: 'there is no alert nobody\n' });
    expect((await command('replay', dir.path, '--dry-run')).out).toContain('2 of 2 dead letters would be queued');
    expect((await readdir(dir.path, { recursive: true })).sort()).toEqual(before);
    expect((await command('replay', dir.path, '--id', 'dead-0')).out).toContain('queued: dead-0\n1 of 1');
    await using delivery = await openDelivery({ chain: [{ channel: ok }], store: fileStore({ dir: dir.path }) });
    await delivery.flush();
    expect(delivery.stats()).toMatchObject({ delivered: 5, dead: 1, pending: 0, lawHolds: true });
    // A service has it open: reading goes on, from a copy.
    expect((await command('verify', dir.path)).code).toBe(0);
    const taken = await command('replay', dir.path);
    expect([taken.code, taken.err]).toEqual([2, expect.stringContaining(`pid ${process.pid}`) as unknown]);
  });

  it('fails on damage and on a lost letter, not on a torn tail, and makes no folder that is not there [P70]', async () => {
    await using dir = await tempDir();
    const torn = join(dir.path, 'torn');
    await filled(torn);
    await appendFile((await logs(torn))[0]!, 'deadbeef 12 {"half":');
    expect((await command('verify', torn)).code).toBe(0);
    const damaged = join(dir.path, 'damaged');
    await filled(damaged);
    const [log] = await logs(damaged);
    await writeFile(log!, (await readFile(log!, 'utf8')).replace('fine', 'fiNe'));
    const report = await command('verify', damaged);
    expect([report.code, report.err]).toEqual([1, expect.stringContaining(damaged) as unknown]);
    const lost = join(dir.path, 'lost');
    await filled(lost);
    await writeFile(join(lost, 'ended', 'dead-00000001.jsonl'), '');
    expect(await command('verify', lost)).toMatchObject({
      code: 1,
      out: expect.stringContaining("dead letter of alert 'dead-0'"),
    });
    const missing = join(dir.path, 'missing');
    expect((await command('verify', missing)).code).toBe(2);
    await expect(stat(missing)).rejects.toThrow('ENOENT');
    for (const argv of [[], ['frob', torn], ['list'], ['explain', torn], ['list', torn, '--limit', 'x']])
      expect((await command(...argv)).err).toContain('usage: alert-delivery');
  });
});

describe('heartbeat and canary', () => {
  it('beats while the store works and the law holds, at once and on schedule, and never follows a failure up [P71]', async () => {
    const clock = manualClock();
    let status = 200;
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const events: DeliveryEvent[] = [];
    await using dir = await tempDir();
    const delivery = await openDelivery({
      chain: [{ channel: ok }],
      store: fileStore({ dir: dir.path }),
      heartbeat: { url: `http://127.0.0.1:${port}/beat/t0ken`, everyMs: 1000 },
      clock,
      onEvent: (event) => events.push(event),
    });
    await expect.poll(() => delivery.stats().heartbeats.sent).toBe(1);
    status = 500;
    await clock.advance(1000);
    await expect.poll(() => delivery.stats().heartbeats.failed).toBe(1);
    expect(seen).toEqual(['/beat/t0ken', '/beat/t0ken']);
    expect(JSON.stringify(events)).not.toContain('t0ken');
    await delivery.close();
    await clock.advance(10_000);
    expect(seen).toHaveLength(2);
    server.close();
  });

  it('walks every step on schedule, never a paging one unless asked, apart from the six, and tells of a dead one once [P72]', async () => {
    for (const paging of [false, true]) {
      const clock = manualClock();
      const got: string[] = [];
      let broken = true;
      const named = (name: string, more: Partial<Channel> = {}): Channel => ({
        name,
        ...more,
        async send(alert) {
          got.push(`${name} ${alert.id.split('-')[0]}`);
          if (name === 'a' && broken) throw new Error('revoked');
        },
      });
      await using dir = await tempDir();
      await using delivery = await openDelivery({
        chain: [{ ...step, channel: named('a') }, { channel: named('b') }, { channel: named('p', { paging: true }) }],
        store: fileStore({ dir: dir.path }),
        canary: { everyMs: 1000, ...(paging && { paging }) },
        clock,
      });
      await clock.advance(999);
      expect(got).toEqual([]);
      await clock.advance(1);
      await clock.advance(1000);
      expect(got.filter((each) => each === 'a canary')).toHaveLength(2);
      expect(got.filter((each) => each === 'b self')).toHaveLength(1);
      expect(got.filter((each) => each === 'p canary')).toHaveLength(paging ? 2 : 0);
      broken = false;
      await clock.advance(1000);
      expect(delivery.stats()).toMatchObject({
        accepted: 0,
        delivered: 0,
        canaries: { delivered: paging ? 7 : 4, failed: 2 },
        selfAlerts: 1,
        lawHolds: true,
      });
    }
  });
});
