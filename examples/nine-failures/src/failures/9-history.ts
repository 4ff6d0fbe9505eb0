import { tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { getJson, post, serve } from '../program.js';

/** What a bounded history may still grow by between two looks: caches of the runtime, not alerts. */
const NOISE_BYTES = 8 * 1024 * 1024;

/** Alerts come in without end; memory is looked at when the history has filled, and again after as many more. */
export const history: Failure = {
  number: 9,
  title: 'the alert history grows until out of memory',
  before: [
    { program: '9-history-in-a-map', from: 'post-mortem, src/alerter.ts' },
    { program: '9-sorts-to-evict', from: "post-mortem's minimal fix, src/alerter.ts" },
  ],
  after: { program: '9-bounded-history', from: '@holdfast/alert-delivery' },
  async run(program) {
    await using dir = await tempDir();
    await using server = await serve(program, { DATA_DIR: dir.path }, ['--expose-gc']);
    let acknowledged = 0;
    const send = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent += 500) {
        const alerts = Array.from({ length: 500 }, (_, n) => ({
          id: `alert-${acknowledged + n}`,
          message: `${'disk is full '.repeat(60)}${acknowledged + n}`,
        }));
        if ((await post(`${server.url}/alerts`, alerts)) === 200) acknowledged += alerts.length;
      }
    };
    const heap = (): Promise<number | undefined> =>
      getJson<{ heapUsed: number }>(`${server.url}/heap`, 8_000).then(
        ({ heapUsed }) => heapUsed,
        () => undefined,
      );

    // Twice what a history of 10,000 keeps: what it has dropped leaves memory and disk a file at a time.
    await send(24_000);
    const filled = await heap();
    await send(40_000);
    const later = filled === undefined ? undefined : await heap();
    if (filled === undefined || later === undefined) {
      return { ...NOTHING, acknowledged, hung: 1, wrong: ['no answer for 8 s: evicting blocks the event loop'] };
    }
    const grown = later - filled;
    return { ...NOTHING, acknowledged, leakedBytes: grown > NOISE_BYTES ? grown : 0 };
  },
};
