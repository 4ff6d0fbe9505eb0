import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { table } from '../docs/simulations/lane-partition.js';
import { root } from './facts/packages.mjs';

describe('docs/simulations/lane-partition', () => {
  it('gives the tables that the page on growing shows (node --import tsx docs/simulations/lane-partition.ts > docs/simulations/lane-partition.md)', () => {
    expect(table()).toBe(readFileSync(join(root, 'docs/simulations/lane-partition.md'), 'utf8'));
  }, 240_000);
});
