import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, NOTHING } from '../failure.js';
import { post, serve } from '../program.js';

/** SIGTERM comes while requests are being worked on; each of them should be answered with what it asked for. */
export const sigterm: Failure = {
  number: 3,
  title: 'SIGTERM kills the requests in flight, or the database under them',
  before: [
    { program: '3-no-signal-handler', from: 'post-mortem, src/index.ts' },
    { program: '3-close-not-awaited', from: "post-mortem's minimal fix, src/index.ts" },
  ],
  after: { program: '3-drain', from: '@holdfast/graceful-shutdown' },
  async run(program, { short }) {
    await using server = await serve(program, {});
    const count = short ? 10 : 50;
    const answers = Array.from({ length: count }, () => post(`${server.url}/work`, {}));
    await sleep(300);
    server.proc.signal('SIGTERM');
    const statuses = await Promise.all(answers);
    const exit = await Promise.race([server.proc.exited, sleep(20_000, undefined, { ref: false })]);
    const lost = statuses.filter((status) => status !== 200).length;
    const wrong = [
      ...(exit?.code === 0 && lost > 0 ? [`exit code 0 after ${lost} lost`] : []),
      ...(exit?.signal ? [`ended by ${exit.signal}`] : []),
    ];
    return { ...NOTHING, acknowledged: count, lost, hung: exit === undefined ? 1 : 0, wrong };
  },
};
