import { runNode } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blastingClients } from '../fixtures/blasting-clients.js';
import { frameworks } from '../fixtures/frameworks.js';

const proc = runNode(new URL('../fixtures/deadline-servers.ts', import.meta.url), { ipc: true });
let ports: Record<string, { read: number; never: number }> = {};

beforeAll(async () => {
  ports = (await proc.nextMessage<{ ports: typeof ports }>((message) => 'ports' in message, 30_000)).ports;
});
afterAll(() => proc.kill());

describe.each(Object.keys(frameworks))('requestDeadline on %s', (framework) => {
  it.each(Object.entries(blastingClients))(
    '[P32] its 408 and 503 are received 20 of 20 while the client is still sending: %s',
    async (_client, run) => {
      const { read, never } = ports[framework]!;
      // A few at a time: as many as there are, they slow each other down and hide what is lost.
      for (let round = 0; round < 5; round++) {
        const tries = Array.from({ length: 4 });
        const [tooSlow, slowHandler] = await Promise.all([
          Promise.all(tries.map(() => run(read))),
          Promise.all(tries.map(() => run(never))),
        ]);
        expect(tooSlow).toEqual(tries.map(() => 408));
        expect(slowHandler).toEqual(tries.map(() => 503));
      }
    },
  );
});
