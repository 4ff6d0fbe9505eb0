import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The human-readable copy of dead letters: one JSON line each, mode 0600. It is only read by people: removing it changes
 * no count. Past `maxBytes` the file moves to `.1`. `write` never rejects; what goes wrong is told to `onFailed`.
 */
export function mirror(
  path: string,
  maxBytes: number,
  onFailed: (error: unknown) => void,
): { write(value: unknown): Promise<void> } {
  let tail: Promise<void> = Promise.resolve();
  let waiting: string[] = [];
  const flush = async (): Promise<void> => {
    const lines = waiting;
    waiting = [];
    if (lines.length === 0) return;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const size = await stat(path).then(
        (found) => found.size,
        () => 0,
      );
      if (size >= maxBytes) await rename(path, `${path}.1`);
      const handle = await open(path, 'a', 0o600);
      try {
        await handle.writeFile(lines.join(''));
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      onFailed(error);
    }
  };
  return {
    write(value) {
      waiting.push(`${JSON.stringify(value)}\n`);
      tail = tail.then(flush);
      return tail;
    },
  };
}
