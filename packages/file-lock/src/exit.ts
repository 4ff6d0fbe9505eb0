const leavers = new Set<() => void>();
let watching = false;

/**
 * Runs `leave` when this process (or worker thread) exits, unless the returned function is called before.
 *
 * Only Node's own `exit` event counts. proper-lockfile's hook also fires on a SIGTERM that nobody handles, on the guess
 * that the process is about to die; PID 1 of a container survives it, and would go on without its locks.
 */
export function atExit(leave: () => void): () => void {
  leavers.add(leave);
  if (!watching) {
    watching = true;
    process.once('exit', () => {
      for (const each of leavers) each();
    });
  }
  return () => void leavers.delete(leave);
}
