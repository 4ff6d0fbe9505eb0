import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly fileSystem: string;
  /** name → version of what is pinned in bench/package.json. */
  readonly peers: Readonly<Record<string, string>>;
}

export function machine(benchDir: string): Machine {
  const pinned = JSON.parse(readFileSync(join(benchDir, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    fileSystem: fileSystemOf(benchDir),
    peers: pinned.dependencies,
  };
}

function fileSystemOf(path: string): string {
  if (!existsSync('/usr/bin/stat') && !existsSync('/bin/stat')) return 'unknown';
  return execFileSync('stat', ['-f', '-c', '%T', path], { encoding: 'utf8' }).trim();
}
