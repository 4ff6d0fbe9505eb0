import { openKb } from '@holdfast/persistent-kb';
import { memoryStore } from '@holdfast/persistent-kb/testing';

let seed = 1;
const rnd = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
let indexed = false;
const kb = await openKb({
  store: memoryStore(),
  onEvent: (e) => {
    if (e.type === 'kb.text-indexed') indexed = true;
  },
});
for (const pow of [4, 2.2]) {
  const word = () => `w${Math.floor(20000 * rnd() ** pow)}`;
  for (let n = 0; n < 100_000; n += 1000)
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        kb.put({
          id: `id-${n + i}`,
          title: `${word()} ${word()}`,
          body: Array.from({ length: 42 }, word).join(' '),
          tags: [`t${(n + i) % 300}`],
        }),
      ),
    );
  const time = (name: string, q: () => object) => {
    const ms: number[] = [];
    let r: any;
    for (let i = 0; i < 100; i++) {
      const s = performance.now();
      r = kb.query(q());
      ms.push(performance.now() - s);
    }
    ms.sort((a, b) => a - b);
    console.log(name, 'total', r.total, 'p50', ms[50]!.toFixed(2), 'p99', ms[98]!.toFixed(2));
  };
  time('two common words', () => ({ text: 'w0 w1' }));
  time('two common, tag', () => ({ text: 'w0 w1', any: ['t7'] }));
  time('rare word', () => ({ text: `w${15000 + Math.floor(5000 * rnd())}` }));
  time('tag ~333', () => ({ all: ['t7'] }));
}
await kb.close();
