import { setTimeout as sleep } from 'node:timers/promises';
import { tempDir } from '@holdfast/testkit';
import { type Failure, NOTHING } from '../failure.js';
import { getJson, post, serve } from '../program.js';

interface Tagged {
  id: string;
  tags: string[];
}

/** So that the server is in the middle of something whenever it is killed. */
const CLIENTS = 4;

/** Killed again and again while entries are saved: every entry that is there must be found by its tag. */
export const indexBehind: Failure = {
  number: 8,
  title: 'the entry is saved, its index is not: it can never be found',
  before: [{ program: '8-entry-then-index', from: 'post-mortem, src/persistence/data-persistence.ts' }],
  after: { program: '8-one-document', from: '@holdfast/persistent-kb' },
  async run(program, { short }) {
    await using dir = await tempDir();
    const env = { DATA_DIR: dir.path };
    const acknowledged: string[] = [];
    let corrupted = 0;
    let lost = 0;
    for (let round = 0; round < (short ? 4 : 8) && corrupted === 0; round += 1) {
      {
        await using server = await serve(program, env);
        const client = async (_: unknown, name: number) => {
          for (let batch = 0; batch < 25; batch += 1) {
            const entries = Array.from({ length: 100 }, (_, n) => {
              const id = `entry-${round}-${name}-${batch}-${n}`;
              return { id, title: id, tags: [`tag-${round}-${n % 5}`] };
            });
            if ((await post(`${server.url}/entries`, entries)) !== 201) return;
            acknowledged.push(...entries.map(({ id }) => id));
          }
        };
        const writing = Promise.all(Array.from({ length: CLIENTS }, client));
        await sleep(400 + 50 * round);
        await server.proc.kill();
        await writing;
      }
      await using next = await serve(program, env);
      const entries = await getJson<Tagged[]>(`${next.url}/entries`);
      const found = new Set<string>();
      for (const tag of new Set(entries.flatMap(({ tags }) => tags))) {
        for (const { id } of await getJson<Tagged[]>(`${next.url}/tags/${tag}`)) found.add(id);
      }
      const stored = new Set(entries.map(({ id }) => id));
      corrupted = entries.filter(({ id }) => !found.has(id)).length;
      lost = acknowledged.filter((id) => !stored.has(id)).length;
    }
    return { ...NOTHING, acknowledged: acknowledged.length, lost, corrupted };
  },
};
