import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProcess, tempDir } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../bundle.js';
import { bundle } from '../bundle.js';

let compiled: Bundle;
beforeAll(async () => {
  compiled = await bundle('copies');
});
afterAll(() => compiled[Symbol.asyncDispose]());

describe('copies of the package in one process', () => {
  it('exclude each other: ESM, CommonJS, a second version of it, and the same in worker threads [P42]', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'f');
    const [esm, cjs] = [compiled.file('index', 'esm'), compiled.file('index', 'cjs')];
    const second = esm.replace('index.mjs', 'second.mjs');
    copyFileSync(esm, second);
    await using child = compiled.run('copies', [file, '5', esm, cjs, second]);
    expect(await child.exited, child.stderr).toEqual({ code: 0, signal: null });
    expect(readFileSync(`${file}.counter`, 'utf8')).toHaveLength(5 * 3 * 2);
    expect(readdirSync(dir.path)).toEqual(['f.counter']);
  });
});

describe('importing the package', () => {
  it.each(['esm', 'cjs'] as const)('changes nothing in the process until the first lock (%s) [P46]', async (format) => {
    await using dir = await tempDir();
    const index = JSON.stringify(compiled.file('index', format));
    // What proper-lockfile and its signal hook replace when they are loaded.
    const script = `
      const fs = require('node:fs');
      const seen = () => JSON.stringify({
        own: [process.emit, process.reallyExit, process.cwd, process.chdir, fs.close].map((f) => before.indexOf(f) >= 0),
        listeners: process.eventNames().filter((name) => /^SIG|exit/.test(String(name))).length,
        timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
        loaded: Object.keys(require.cache).filter((path) => path.includes('proper-lockfile')).length > 0,
      });
      const before = [process.emit, process.reallyExit, process.cwd, process.chdir, fs.close];
      const idle = seen();
      (async () => {
        const { acquire } = ${format === 'esm' ? `await import(${index})` : `require(${index})`};
        console.log(seen() === idle ? 'untouched' : 'touched ' + seen());
        await (await acquire(${JSON.stringify(join(dir.path, 'f'))})).release();
        console.log(JSON.parse(seen()).loaded ? 'loaded at the first lock' : 'never loaded');
      })();`;
    await using child = runProcess(process.execPath, ['-e', script]);
    expect(await child.exited, child.stderr).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe('untouched\nloaded at the first lock\n');
  });
});
