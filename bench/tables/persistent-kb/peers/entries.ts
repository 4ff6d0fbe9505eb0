import type { Entry } from '@holdfast/persistent-kb';

const WORDS = 2_000;

/** Numbers in [0, 1) from a seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A word, common ones often: the k-th is drawn about as often as 1/k^0.7. */
export function wordOf(random: () => number): string {
  return `word${Math.floor(random() ** 3.3 * WORDS).toString(36)}`;
}

/**
 * Entry `n` of `count`: about 600 bytes as JSON, a title of three words and a body of sixty, one of 10 common tags, one tag
 * of about 300 entries, one of its own, and one word that only few entries have.
 */
export function entryOf(n: number, count: number, random: () => number): Entry {
  return {
    id: `entry-${String(n).padStart(6, '0')}`,
    title: `${wordOf(random)} ${wordOf(random)} ${wordOf(random)}`,
    tags: [`common-${n % 10}`, `mid-${n % Math.max(1, Math.floor(count / 300))}`, `own-${n}`],
    category: `category-${n % 7}`,
    body: `${Array.from({ length: 60 }, () => wordOf(random)).join(' ')} rare${n % Math.max(1, Math.floor(count / 5))}`,
  };
}

export function* entries(count: number, seed = 1): Generator<Entry> {
  const random = seeded(seed);
  for (let n = 0; n < count; n++) yield entryOf(n, count, random);
}
