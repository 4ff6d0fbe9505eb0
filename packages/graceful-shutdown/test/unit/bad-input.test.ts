import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createLifecycle } from '../../src/index.js';

describe('bad input', () => {
  it('[P11] names the option and the component for bad times of a server and of a component', () => {
    const lifecycle = createLifecycle();
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never]) {
      for (const option of ['headersTimeoutMs', 'keepAliveTimeoutMs', 'writeStallMs'])
        expect(() => lifecycle.http('web', createServer(), { [option]: bad })).toThrow(`${option} of 'web'`);
      for (const option of ['startTimeoutMs', 'stopTimeoutMs'])
        expect(() => lifecycle.add('db', { [option]: bad })).toThrow(`${option} of 'db'`);
      for (const option of ['readinessDelayMs', 'startTimeoutMs', 'stopTimeoutMs', 'keepAliveGraceMs'])
        expect(() => createLifecycle({ [option]: bad })).toThrow(`option ${option} must be`);
    }
    expect(() => lifecycle.http('web', createServer(), { maxConnections: 0 })).toThrow("maxConnections of 'web'");
    expect(() => lifecycle.add('db', { start: 'yes' as never })).toThrow("start of 'db'");
    expect(() => lifecycle.add('db', { dependsOn: 'x' as never })).toThrow('dependsOn');
  });

  it('[P11] a used port, and a server that does not listen, fail the start by the name of the component', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const lifecycle = createLifecycle();
    lifecycle.http('web', createServer(), { listen: { port, host: '127.0.0.1' } });
    await expect(lifecycle.start()).rejects.toMatchObject({
      code: 'LIFECYCLE_START_FAILED',
      component: 'web',
      cause: { code: 'EADDRINUSE' },
    });
    taken.close();
    const deaf = createLifecycle();
    deaf.http('web', createServer());
    await expect(deaf.start()).rejects.toThrow("the server 'web' does not listen");
  });
});
