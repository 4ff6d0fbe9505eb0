import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Every child that lives. None outlives the process that started it. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** util-linux; asks the kernel to kill the child when its parent dies, also of a SIGKILL, where no `exit` event comes. */
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** Spawns a child that is killed with this process. `server` children are killed by the kernel too, where it can be asked. */
export function spawnChild(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { server?: boolean },
): ChildProcess {
  const { server = false, ...rest } = options;
  const child =
    server && setpriv ? spawn(setpriv, ['--pdeathsig', 'KILL', command, ...args], rest) : spawn(command, args, rest);
  living.add(child);
  child.once('exit', () => living.delete(child));
  child.once('error', () => living.delete(child));
  return child;
}
