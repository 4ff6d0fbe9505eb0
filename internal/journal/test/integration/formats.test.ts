import { readdirSync, readFileSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { tempDir } from '@holdfast/testkit';
import { describe, expect, it } from 'vitest';
import { type JournalEvent, openJournal } from '../../src/index.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const VERSIONS = readdirSync(FIXTURES).filter((name) => name.startsWith('format-'));
const CASES = VERSIONS.flatMap((version) => readdirSync(join(FIXTURES, version)).map((name) => join(version, name)));

type Pair = { key: string; value: unknown };
interface Expected {
  state: Record<string, unknown>;
  tornBytes: number;
}

async function open(dir: string) {
  const state = new Map<string, unknown>();
  const events: JournalEvent[] = [];
  const journal = await openJournal<Pair>({
    dir,
    apply: ({ key, value }) => void state.set(key, value),
    *snapshot() {
      for (const [key, value] of state) yield { key, value };
    },
    onEvent: (event) => void events.push(event),
  });
  return { journal, state, events };
}

describe('openJournal', () => {
  it('[P13] has fixtures of every version up to the present one', () => {
    expect(VERSIONS).toEqual(['format-1']);
  });

  for (const name of CASES)
    it(`[P13] opens and goes on with what an earlier release wrote: ${name}`, async () => {
      await using dir = await tempDir();
      const path = join(dir.path, 'journal');
      await cp(join(FIXTURES, name, 'journal'), path, { recursive: true });
      const expected = JSON.parse(await readFile(join(FIXTURES, name, 'expected.json'), 'utf8')) as Expected;
      const first = await open(path);
      expect(Object.fromEntries(first.state)).toEqual(expected.state);
      expect(first.journal.stats().tornBytes).toBe(expected.tornBytes);
      expect(first.events.map(({ type }) => type)).not.toContain('journal.damage-found');
      await first.journal.append({ key: 'today', value: name });
      await first.journal.compact();
      await first.journal.close();
      const second = await open(path);
      expect(Object.fromEntries(second.state)).toEqual({ ...expected.state, today: name });
      await second.journal.close();
    });

  it('[P13] has a format that a reader written from its page alone reads', () => {
    for (const name of CASES.filter((one) => one.startsWith('format-1'))) {
      const { state } = JSON.parse(readFileSync(join(FIXTURES, name, 'expected.json'), 'utf8')) as Expected;
      const journal = join(FIXTURES, name, 'journal');
      const epoch = readdirSync(journal)
        .filter((entry) => /^epoch-\d{10}$/.test(entry))
        .sort()
        .at(-1)!;
      expect(readByThePage(join(journal, epoch))).toEqual(state);
    }
  });
});

/** docs/reference/journal-format.md, "Reading": snapshot, then segments from its number on; stops at a torn tail. */
function readByThePage(dir: string): Record<string, unknown> {
  const names = readdirSync(dir)
    .filter((name) => /^\d{10}\.(log|snap)$/.test(name))
    .sort();
  const snapshot = names.filter((name) => name.endsWith('.snap')).at(-1);
  const first = snapshot?.slice(0, 10) ?? '';
  const files = [...(snapshot ? [snapshot] : []), ...names.filter((name) => name.endsWith('.log') && name >= first)];
  const state: Record<string, unknown> = {};
  for (const name of files) {
    for (const line of readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1)) {
      const [, sum, rest, kind, json] = /^([0-9a-f]{8}) (([hre]) [0-9a-f]+ (.*))$/s.exec(line) as unknown as string[];
      if (crc32(rest!, crc32(name)) !== Number.parseInt(sum!, 16)) throw new Error(`${name}: a bad line`);
      if (kind !== 'r') continue;
      const value = JSON.parse(json!) as Pair | Pair[];
      for (const pair of Array.isArray(value) ? value : [value]) state[pair.key] = pair.value;
    }
  }
  return state;
}
