import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, runNode } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { getJson, post } from '../program.js';

/** The database can't be reached at start. Either the process says so and exits with 1, or it takes what it will lose. */
export const databaseDown: Failure = {
  number: 5,
  title: 'the database is down at start, and nobody is told',
  before: [{ program: '5-start-error-logged', from: 'post-mortem, src/index.ts' }],
  after: { program: '5-start-fails', from: '@holdfast/persistent-kb, @holdfast/graceful-shutdown' },
  async run(program) {
    const uri = `mongodb://drill:sesame@127.0.0.1:${await freePort()}/drill?directConnection=true`;
    await using proc = runNode(program, { env: { MONGODB_URI: uri } });
    const listening = proc.waitFor(/listening on (\d+)/, 30_000).catch(() => undefined);
    const exit = await Promise.race([
      proc.exited,
      listening.then(() => undefined),
      sleep(25_000, undefined, { ref: false }),
    ]);
    if (exit !== undefined) {
      const wrong = [
        ...(exit.code === 1 ? [] : [`exit code ${exit.code}`]),
        ...(proc.stderr.includes('127.0.0.1') ? [] : ['the reason is not on stderr']),
        ...(proc.stderr.includes('sesame') ? ['the password is on stderr'] : []),
      ];
      return { ...NOTHING, wrong };
    }
    const [, port] = (await listening) ?? [];
    const url = `http://127.0.0.1:${port}`;
    const { status } = await getJson<{ status: string }>(`${url}/health`);
    let acknowledged = 0;
    for (let n = 0; n < 20; n += 1) if ((await post(`${url}/entries`, { id: `entry-${n}` })) === 200) acknowledged += 1;
    return { ...NOTHING, acknowledged, lost: acknowledged, wrong: [`serving, health ${status}`] };
  },
};
