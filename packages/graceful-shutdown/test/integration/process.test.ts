import { type Proc, runNode } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { connect, get } from '../fixtures/exchange.js';

const SERVER = new URL('../fixtures/server.ts', import.meta.url);

interface Settings {
  lifecycle?: Record<string, unknown>;
  http?: Record<string, unknown>;
  handlerMs?: number;
}

async function start(settings: Settings = {}, flags: string[] = []): Promise<{ proc: Proc; port: number }> {
  const proc = runNode(SERVER, { ipc: true, args: [JSON.stringify(settings), ...flags] });
  const { listening } = await proc.nextMessage<{ listening: number }>((message) => 'listening' in message, 30_000);
  return { proc, port: listening };
}

const event = (proc: Proc, type: string) =>
  proc.nextMessage<{ event: Record<string, unknown> }>((message) => message.event?.type === type, 20_000);

async function terminate(proc: Proc, signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; ms: number }> {
  const began = performance.now();
  proc.signal(signal);
  const { code } = await proc.exited;
  return { code, ms: performance.now() - began };
}

describe('a drain with one difficult client', () => {
  it('[P22] lets an upload that arrives in earnest finish', async () => {
    const { proc, port } = await start();
    await using _ = proc;
    const client = await connect(port);
    const parts = 30;
    client.socket.write(`POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: ${parts * 10_000}\r\n\r\n`);
    let sent = 0;
    const upload = setInterval(() => {
      if (sent === 3) proc.signal('SIGTERM');
      if (sent++ < parts) client.socket.write('x'.repeat(10_000));
      else clearInterval(upload);
    }, 100);
    await client.until(/\r\n\r\n300000/);
    expect(client.received).toMatch(/^HTTP\/1.1 200 /);
    expect(await proc.exited).toMatchObject({ code: 0 });
  });

  it('[P25] keeps an idle connection for keepAliveTimeout, or the grace where that is shorter, and calls it clean', async () => {
    const { proc, port } = await start({ handlerMs: 1, lifecycle: { keepAliveGraceMs: 700, drainTimeoutMs: 10_000 } });
    await using _ = proc;
    const client = await connect(port);
    client.socket.write(get('/'));
    await client.until('ok');
    const { code, ms } = await terminate(proc);
    expect([code, await client.ended]).toEqual([0, 'end']);
    expect(ms).toBeGreaterThan(600);
    expect(ms).toBeLessThan(4_000);
  });

  it('[P26] completes a 16 MB answer that is being read, and cuts a reader that takes nothing', async () => {
    const { proc, port } = await start({ http: { writeStallMs: 1_000 } });
    await using _ = proc;
    const reader = await connect(port);
    reader.socket.write(get('/big'));
    const stuck = await connect(port);
    stuck.socket.pause();
    stuck.socket.write(get('/big'));
    await reader.until('HTTP/1.1 200');
    const { code } = await terminate(proc);
    await reader.ended;
    expect(reader.received.length).toBeGreaterThan(16 * 1024 * 1024);
    expect(code).toBe(0);
    expect((await event(proc, 'connection.cut')).event).toMatchObject({ why: 'stalled' });
    stuck.socket.destroy();
  });

  it('[P28] closes a WebSocket whose handler does not with 1001', async () => {
    const { proc, port } = await start({}, ['--upgrade']);
    await using _ = proc;
    const client = await connect(port);
    client.socket.write(get('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
    await client.until('101 Switching');
    const { code } = await terminate(proc);
    expect(await client.ended).toBe('end');
    expect(Buffer.from(client.received, 'latin1').subarray(-4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
    expect(code).toBe(0);
  });

  it('[P29] cuts what outlasts the drain, still stops the components, names it and exits 1', async () => {
    const { proc, port } = await start({ handlerMs: 60_000, lifecycle: { drainTimeoutMs: 500 } });
    await using _ = proc;
    const client = await connect(port);
    client.socket.write(get('/'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { code, ms } = await terminate(proc);
    expect(code).toBe(1);
    expect(ms).toBeLessThan(4_000);
    expect(proc.stderr).toContain('the drain timed out');
    expect(proc.messages).toContainEqual({ closed: expect.objectContaining({ using: 1 }) });
  });
});

describe('what still runs after its answer', () => {
  it('[P16] a job ends before the database is closed; an endless one is aborted and named', async () => {
    const { proc, port } = await start();
    await using _ = proc;
    const client = await connect(port);
    client.socket.write(get('/job', 'Connection: close\r\n'));
    await client.until('accepted');
    expect((await terminate(proc)).code).toBe(0);
    expect(proc.messages).toContainEqual({ job: { dbOpen: true } });

    const other = await start({ lifecycle: { drainTimeoutMs: 300 } });
    await using _other = other.proc;
    const second = await connect(other.port);
    second.socket.write(get('/job-forever', 'Connection: close\r\n'));
    await second.until('accepted');
    expect((await terminate(other.proc)).code).toBe(1);
    expect(other.proc.stderr).toContain("job 'endless' was abandoned");
  });
});

describe('signals and exit codes', () => {
  it('[P13] a port that is taken undoes what had started, says why on stderr and exits 1', async () => {
    const { proc, port } = await start();
    await using _ = proc;
    const settings = { http: { listen: { port, host: '127.0.0.1' } } };
    const second = runNode(SERVER, { ipc: true, args: [JSON.stringify(settings)] });
    await using _second = second;
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.stderr).toContain("component 'http' failed to start");
    expect(second.stderr).toContain('EADDRINUSE');
    expect(second.messages).toContainEqual({ opened: true });
    expect(second.messages).toContainEqual({ closed: expect.objectContaining({ using: 0 }) });
  });
});

describe('readinessDelayMs', () => {
  it('[P31] goes on serving with Connection: close while readiness is 503 and liveness 200', async () => {
    const { proc, port } = await start({ handlerMs: 1, lifecycle: { readinessDelayMs: 800 } });
    await using _ = proc;
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    expect(await status('/readyz')).toBe(200);
    proc.signal('SIGTERM');
    await event(proc, 'lifecycle.shutdown_requested');
    expect(await status('/readyz')).toBe(503);
    expect(await status('/livez')).toBe(200);
    const late = await connect(port);
    late.socket.write(get('/'));
    expect(await late.until(/ok$/)).toMatch(/200 OK[\s\S]*connection: close/i);
    expect(await proc.exited).toMatchObject({ code: 0 });
  });
});
