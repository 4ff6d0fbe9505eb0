import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { growth } from '../../runner/statistics.ts';
import type { Row, Table } from '../../runner/table.ts';

const SCRIPT = fileURLToPath(new URL('bytes-per-key/measure.ts', import.meta.url));
const execute = promisify(execFile);
/** `order 123456` and `receipt 123456`: two strings of V8 with their headers. */
const PAYLOAD_BYTES = 64;
const MIB = 1024 * 1024;
const PEERS = [
  { script: 'holdfast', who: 'holdfast', kind: 'ours' },
  { script: 'lruCache', who: 'lru-cache 11.5.3, get then set', kind: 'floor' },
  { script: 'nodeIdempotency', who: '@node-idempotency/core 1.0.11', kind: 'peer' },
  { script: 'powertools', who: '@aws-lambda-powertools 2.35.0, own LRU layer', kind: 'peer' },
] as const;

export const table: Table = {
  name: 'idempotency/bytes-per-key',
  title: 'Memory for each key that is kept',
  about:
    'A process of its own for each figure: the heap after garbage collection, before and after so many keys with a small answer, divided by the ' +
    'keys; key and answer (about 64 bytes) included. The last size runs 1,000,000 keys through a store of 10,000: what stays is the bound, not the traffic.',
  columns: [
    { name: 'bytes per key', unit: 'bytes', better: 'lower' },
    { name: 'heap', unit: 'MiB', better: 'lower' },
  ],
  async run({ quick, log }) {
    const sizes = quick ? [20_000, 50_000] : [20_000, 100_000, 1_000_000];
    const rows: Row[] = [];
    const ours: { x: number; y: number }[] = [];
    for (const keys of sizes) {
      for (const { script, who, kind } of PEERS) {
        if (keys > 100_000 && kind === 'peer') continue;
        const { bytes } = await measure(script, keys);
        rows.push({ who, kind, size: `${keys.toLocaleString('en')} keys`, cells: cells(bytes, keys) });
        if (kind === 'ours') ours.push({ x: keys, y: bytes });
      }
      log(`${keys} keys done`);
    }
    const traffic = quick ? 100_000 : 1_000_000;
    const { bytes, flat } = await measure('holdfast', traffic, 10_000);
    rows.push({
      who: 'holdfast',
      kind: 'ours',
      size: `${traffic.toLocaleString('en')} keys through 10,000`,
      cells: cells(bytes, 10_000),
    });
    const spreadMib = (Math.max(...flat, bytes) - Math.min(...flat, bytes)) / MIB;
    const worst = Math.max(...ours.filter(({ x }) => x >= 10_000).map(({ x, y }) => y / x));
    return {
      rows,
      growth: [growth('heap', ours)],
      targets: [
        {
          claim: 'at most 250 bytes a key and its payload',
          measured: `${Math.round(worst)} bytes, payload included`,
          met: worst <= 250 + PAYLOAD_BYTES,
        },
        {
          claim: `heap flat over ${traffic.toLocaleString('en')} keys`,
          measured: `${spreadMib.toFixed(1)} MiB between the quarters`,
          met: spreadMib < 2,
        },
      ],
      notes: ['The peers are left out at 1,000,000 keys: node-idempotency never frees an expired key.'],
    };
  },
};

function cells(bytes: number, keys: number): Row['cells'] {
  return { 'bytes per key': Math.round(bytes / keys), heap: Math.round((bytes / MIB) * 10) / 10 };
}

async function measure(script: string, keys: number, room = keys): Promise<{ bytes: number; flat: number[] }> {
  const { stdout } = await execute(
    process.execPath,
    [
      '--expose-gc',
      '--max-old-space-size=2048',
      '--import',
      import.meta.resolve('tsx'),
      SCRIPT,
      script,
      String(keys),
      String(room),
    ],
    { maxBuffer: 2 ** 24 },
  );
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as { bytes: number; flat: number[] };
}
