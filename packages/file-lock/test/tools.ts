import { spawnSync } from 'node:child_process';

/** In front of a command: runs it as PID 1 of a pid namespace of its own. */
export const OTHER_PID_NAMESPACE = ['unshare', '-Urpf', '--mount-proc', '--kill-child'];

/** In front of a path and a command: runs it where a 2 MiB disk is mounted on that path, for it alone. */
export const SMALL_DISK = ['unshare', '-Urm', 'sh', '-c', 'mount -t tmpfs -o size=2m none "$0" && exec "$@"'];

/** In front of a command: records its system calls in the file whose path comes next. */
export const TRACED = [
  ...['strace', '-f', '-y', '-s', '0', '-e'],
  ...['trace=openat,close,rename,renameat,renameat2,fsync,fdatasync,write,writev,pwrite64,pwritev,mkdir', '-o'],
];

/** Whether this machine lets a program run in front of another; a container may not. */
export function works(...command: string[]): boolean {
  return spawnSync(command[0] as string, command.slice(1)).status === 0;
}
