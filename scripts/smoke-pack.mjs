// The packages as strangers get them: packed, installed with only what they list, loaded on every Node, compiled by every TypeScript, run in Jest.
// publint and attw stay green while a private package leaks into the types. `--only alone,nodes,typescript,jest` runs a part.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alone } from './smoke/alone.mjs';
import { jest } from './smoke/jest.mjs';
import { nodes } from './smoke/nodes.mjs';
import { pack } from './smoke/pack.mjs';
import { typescript } from './smoke/typescript.mjs';

const at = process.argv.indexOf('--only');
const wanted = at < 0 ? undefined : process.argv[at + 1]?.split(',');
const work = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
try {
  const tarballs = pack(work);
  const parts = { alone, nodes, typescript, jest };
  for (const [name, part] of Object.entries(parts)) {
    if (wanted && !wanted.includes(name)) continue;
    const start = performance.now();
    const what = await part(work, tarballs);
    console.log(`   ${name}: ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
