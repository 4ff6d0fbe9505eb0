import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheDir } from './binaries.js';

/** The major versions of Node.js that what is published must hold on: the oldest that `engines` allows up to the newest. */
export const NODE_MAJORS = [20, 22, 24, 26] as const;

/** The path of a node of this major version in the cache folder, or undefined when it has not been fetched. Never downloads. */
export function cachedNode(major: number): string | undefined {
  const program = join(cacheDir(), 'node', String(major), 'bin', 'node');
  return existsSync(program) ? program : undefined;
}

/**
 * Gives the path of a node of this major version, downloading the newest into the cache folder (some 50 MB packed, 120 MB
 * unpacked) when it is not there. It comes from npm, which checks it against the registry's digest, and must run before it
 * takes its place.
 *
 * @throws when npm, tar or the program's first run fails; the message holds what it printed.
 */
export function fetchNode(major: number): string {
  const found = cachedNode(major);
  if (found) return found;
  const home = join(cacheDir(), 'node');
  mkdirSync(home, { recursive: true });
  const work = mkdtempSync(join(home, 'fetch-'));
  try {
    const wanted = `node-${process.platform}-${process.arch}@${major}`;
    run('npm', ['pack', '--silent', '--pack-destination', work, wanted]);
    const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (!archive) throw new Error(`npm pack left no archive of ${wanted} in ${work}`);
    run('tar', ['-xzf', join(work, archive), '-C', work, 'package/bin/node']);
    run(join(work, 'package', 'bin', 'node'), ['--version']);
    try {
      renameSync(join(work, 'package'), join(home, String(major)));
    } catch (error) {
      // Another process was faster.
      if (!cachedNode(major)) throw error;
    }
    return join(home, String(major), 'bin', 'node');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw new Error(`could not run ${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}\n${stdout}${stderr}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const major of NODE_MAJORS) process.stdout.write(`${fetchNode(major)}\n`);
