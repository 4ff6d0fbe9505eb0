import { deepStrictEqual as equal, ok } from 'node:assert';
import { type ConformanceCase, type Loose, rejection, withKb } from './conformance-case.js';
import type { Entry, Stored } from './entry.js';
import { openKb } from './open-kb.js';

class Custom {
  readonly field = 1;
}

function nested(levels: number): unknown {
  let value: unknown = 'end';
  for (let n = 0; n < levels; n++) value = { in: value };
  return value;
}

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

/** What JSON or BSON would change without a word, by name, and the end of the path that the error must have. */
const REFUSED: readonly (readonly [string, unknown, string?])[] = [
  ['bigint', 1n],
  ['large bigint', 2n ** 63n],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['invalid date', new Date(Number.NaN)],
  ['lone surrogate', 'a\ud800b'],
  ['lone surrogate as key', { '\udfff': 1 }, '["\\udfff"]'],
  ['NUL in a key', { 'a\0b': 1 }, '["a\\u0000b"]'],
  ['symbol as key', { [Symbol('s')]: 1 }],
  ['undefined in an array', [1, undefined], '[1]'],
  ['hole in an array', Object.assign([], { length: 2 })],
  ['array with a named property', Object.assign([1], { name: 'x' })],
  ['Set', new Set([1])],
  ['Map', new Map([[1, 2]])],
  ['class instance', new Custom()],
  ['function', () => 1],
  ['method', { toJSON: () => 1 }, '.toJSON'],
  ['symbol', Symbol('s')],
  ['RegExp', /x/y],
  ['Buffer', Buffer.from('x')],
  ['typed array', new Float64Array(1)],
  ['Error', new Error('x')],
  ['URL', new URL('http://x/')],
  ['boxed string', Object('x')],
  ['database reference', { $ref: 'c', $id: 1 }],
  ['_bsontype', { _bsontype: 'ObjectId' }, '._bsontype'],
  ['too deep', nested(150), ''],
  ['cycle', cycle, ''],
];

/** What comes back as it was given, however odd. */
function accepted(): Loose {
  const keys = JSON.parse(
    '{"__proto__":{"x":1},"constructor":2,"$set":{"a.b":[null,true]},"":0,"0":"z",".":1,"$x":{"$y":[]},"toString":"s"}',
  ) as object;
  return {
    id: 'ü\u0000 $id',
    title: '',
    body: ' \n ',
    tags: [],
    category: '',
    when: new Date(8.64e15),
    early: new Date(-8.64e15),
    zero: -0,
    big: 2 ** 53 + 2,
    huge: 1.797e308,
    tiny: 5e-324,
    fraction: 0.1 + 0.2,
    nested: keys,
    dates: [{ at: new Date(-1) }, [new Date(0)]],
    text: '\u0000 "\\\n 💾 \u2028',
    nothing: null,
    no: false,
    empty: [{}, [], ''],
    deep: nested(90),
    like: '$$NOW',
    date: '2026-01-01T00:00:00.000Z',
  };
}

const longest = 'é'.repeat(256);

/** The cases about values: what is refused, and what must come back as it was. */
export const valueCases: readonly ConformanceCase[] = [
  {
    name: 'what is accepted is deep-equal after it is opened again, whatever its keys',
    async run({ store }) {
      const entry = accepted();
      const put = await withKb<Stored<Loose>, Loose>(store(), (kb) => kb.put(entry));
      equal(put.entry, accepted());
      await withKb<void, Loose>(store(), async (kb) => {
        equal(kb.get(entry.id)?.entry, accepted());
        ok(Object.is(kb.get(entry.id)?.entry.zero, -0));
      });
      equal(({} as { x?: unknown }).x, undefined);
    },
  },
  {
    name: 'values that would not survive are refused with their path, and nothing is written',
    async run({ store }) {
      await withKb<void, Loose>(store(), async (kb) => {
        for (const [name, value, end = ''] of REFUSED) {
          const { path } = await rejection(kb.put({ id: 'a', title: 't', deep: [{ value }] }), 'KB_INVALID_ENTRY');
          ok(path?.startsWith('deep[0].value') && path.endsWith(end), `${name} is refused at ${path}`);
        }
        const wrong: [unknown, string][] = [
          [{ id: '', title: 't' }, 'id'],
          [{ id: 1, title: 't' }, 'id'],
          [{ id: { $ne: null }, title: 't' }, 'id'],
          [{ id: 'é'.repeat(257), title: 't' }, 'id'],
          [{ id: 'a\ud800', title: 't' }, 'id'],
          [{ id: 'a' }, 'title'],
          [{ id: 'a', title: 't', body: 1 }, 'body'],
          [{ id: 'a', title: 't', category: null }, 'category'],
          [{ id: 'a', title: 't', tags: 'x' }, 'tags'],
          [{ id: 'a', title: 't', tags: ['x', ''] }, 'tags[1]'],
          [{ id: 'a', title: 't', tags: ['x', 1] }, 'tags[1]'],
          [null, ''],
          [[], ''],
        ];
        for (const [entry, at] of wrong) {
          equal((await rejection(kb.put(entry as Loose), 'KB_INVALID_ENTRY')).path, at);
        }
        equal([kb.stats().entries, kb.stats().writes], [0, 0]);
      });
    },
  },
  {
    name: 'ids are kept byte for byte: 512 bytes, composed and decomposed apart',
    async run({ store }) {
      const ids = [longest, 'caf\u00e9', 'cafe\u0301', ' a', 'a ', 'A', '$where', '__proto__', '💾', 'a.b'];
      await withKb(store(), async (kb) => {
        await Promise.all(ids.map((id) => kb.put({ id, title: `title of ${id}`, tags: [id] })));
      });
      await withKb(store(), async (kb) => {
        equal(kb.stats().entries, ids.length);
        for (const id of ids) {
          equal(kb.get(id)?.entry.title, `title of ${id}`);
          equal(
            kb.query({ all: [id] }).hits.map((hit) => hit.id),
            [id],
          );
        }
      });
    },
  },
  {
    name: 'an entry above the limit is refused with its size, and one just below is kept',
    async run({ store }) {
      const kb = await openKb<Entry>({ store: store(), maxEntryBytes: 1_000 });
      try {
        const around = Buffer.byteLength(JSON.stringify({ id: 'a', title: '' }));
        const large = { id: 'a', title: 'é'.repeat(500) };
        const { bytes, maxBytes } = await rejection(kb.put(large), 'KB_TOO_LARGE');
        ok(bytes !== undefined && bytes > 1_000 && maxBytes === 1_000, `${bytes} of ${maxBytes}`);
        equal((await kb.put({ id: 'a', title: 'x'.repeat(1_000 - around - 10) })).rev, 1);
        await rejection(
          kb.patch('a', ({ entry }) => ({ ...entry, body: entry.title })),
          'KB_TOO_LARGE',
        );
        equal(kb.get('a')?.rev, 1);
      } finally {
        await kb.close();
      }
    },
  },
];
