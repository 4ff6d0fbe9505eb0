import { tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { post, serve } from '../program.js';

/** Entries are acknowledged, the process is killed, the next one is asked for each of them. */
export const restart: Failure = {
  number: 1,
  title: 'the knowledge base is gone after a restart',
  before: [{ program: '1-knowledge-in-a-map', from: 'post-mortem, src/knowledge/knowledge-base.ts' }],
  after: { program: '1-knowledge-base', from: '@holdfast/persistent-kb' },
  async run(program, { short }) {
    await using dir = await tempDir();
    const ids = Array.from({ length: short ? 20 : 200 }, (_, n) => `entry-${n}`);
    const acknowledged: string[] = [];
    {
      await using first = await serve(program, { DATA_DIR: dir.path });
      for (const id of ids) {
        if ((await post(`${first.url}/entries`, { id, title: `Fix of ${id}` })) === 201) acknowledged.push(id);
      }
    }
    await using second = await serve(program, { DATA_DIR: dir.path });
    let lost = 0;
    for (const id of acknowledged) {
      const { status } = await fetch(`${second.url}/entries/${id}`);
      if (status !== 200) lost += 1;
    }
    return { ...NOTHING, acknowledged: acknowledged.length, lost };
  },
};
