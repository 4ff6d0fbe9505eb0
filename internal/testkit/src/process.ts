import { fileURLToPath } from 'node:url';
import { spawnChild } from './children.js';

/** What a child process may be given. */
export interface RunOptions {
  args?: readonly string[] | undefined;
  /** Added to this process's environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined> | undefined;
  cwd?: string | undefined;
  /** Opens the message channel (`process.send` in the child). @defaultValue false */
  ipc?: boolean | undefined;
  /** `'ignore'` gives the child no standard input; `'pipe'` lets `write` reach it. @defaultValue 'pipe' */
  stdin?: 'pipe' | 'ignore' | undefined;
  /** Flags for node itself, before the file. Only for {@link runNode}. */
  nodeArgs?: readonly string[] | undefined;
  /** The node that runs the file. Only for {@link runNode}. @defaultValue the one that runs this */
  execPath?: string | undefined;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running child: what it printed and sent so far, and ways to wait for more. Disposing kills it. */
export interface Proc extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when the process has ended and its output is complete; rejects if it could not be started. */
  readonly exited: Promise<Exit>;
  /** Every message received, in order. */
  readonly messages: readonly unknown[];
  /** Waits until stdout or stderr contains `pattern`. Rejects, with all output, after `timeoutMs` (10 s) or at exit. */
  waitFor(pattern: RegExp | string, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** The first message not given out before for which `predicate` holds, waited for up to `timeoutMs` (10 s). */
  nextMessage<M = unknown>(predicate?: (message: M) => boolean, timeoutMs?: number): Promise<M>;
  send(message: unknown): void;
  /** Writes to the child's standard input. */
  write(text: string): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Maps `@holdfast/*` to sources, and compiles as the repository does. */
const ROOT_TSCONFIG = fileURLToPath(new URL('../../../tsconfig.json', import.meta.url));

/** Runs a TypeScript or JavaScript file in a node process of its own, with `@holdfast/*` resolved to sources. */
export function runNode(file: string | URL, options: RunOptions = {}): Proc {
  const path = file instanceof URL || file.startsWith('file:') ? fileURLToPath(file) : file;
  return runProcess(
    options.execPath ?? process.execPath,
    ['--import', import.meta.resolve('tsx'), ...(options.nodeArgs ?? []), path, ...(options.args ?? [])],
    { ...options, args: undefined, env: { TSX_TSCONFIG_PATH: ROOT_TSCONFIG, ...options.env } },
  );
}

/** Runs any program. */
export function runProcess(command: string, args: readonly string[], options: RunOptions = {}): Proc {
  return watch(command, [...args, ...(options.args ?? [])], options, false);
}

/** The same, for a long-lived server: the kernel kills it even when this process is killed. */
export function runServer(command: string, args: readonly string[], options: RunOptions = {}): Proc {
  return watch(command, args, options, true);
}

function watch(command: string, args: readonly string[], options: RunOptions, server: boolean): Proc {
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const child = spawnChild(command, args, {
    server,
    env,
    cwd: options.cwd,
    stdio: [options.stdin ?? 'pipe', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
  });

  let stdout = '';
  let stderr = '';
  let ended: Exit | undefined;
  const messages: unknown[] = [];
  const given = new Set<number>();
  const looks = new Set<() => void>();
  const changed = (): void => {
    for (const look of [...looks]) look();
  };

  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    changed();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    changed();
  });
  child.stdin?.on('error', () => {}); // the child may be gone before it has read all
  child.on('message', (message) => {
    messages.push(message);
    changed();
  });
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended = { code, signal };
      resolve(ended);
      changed();
    });
  });
  exited.catch(() => {});

  const output = (): string => `\n--- stdout\n${stdout.slice(-4000)}\n--- stderr\n${stderr.slice(-4000)}`;
  function until<T>(what: string, find: () => { found: T } | undefined, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        looks.delete(look);
        act();
      };
      const look = (): void => {
        const hit = find();
        if (hit) settle(() => resolve(hit.found));
        else if (ended) {
          const { code, signal } = ended;
          settle(() => reject(new Error(`process ended (${signal ?? code}) before ${what}${output()}`)));
        }
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`no ${what} within ${timeoutMs} ms${output()}`))),
        timeoutMs,
      );
      looks.add(look);
      exited.catch((error: unknown) => settle(() => reject(error)));
      look();
    });
  }

  const proc: Proc = {
    get pid() {
      return child.pid ?? -1;
    },
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    exited,
    messages,
    waitFor(pattern, timeoutMs = 10_000) {
      const expression = typeof pattern === 'string' ? new RegExp(escapeRegExp(pattern)) : pattern;
      const find = (): { found: RegExpMatchArray } | undefined => {
        const match = stdout.match(expression) ?? stderr.match(expression);
        return match ? { found: match as RegExpMatchArray } : undefined;
      };
      return until(`output matching ${String(pattern)}`, find, timeoutMs);
    },
    nextMessage<M>(predicate: (message: M) => boolean = () => true, timeoutMs = 10_000) {
      const find = (): { found: M } | undefined => {
        const index = messages.findIndex((message, at) => !given.has(at) && predicate(message as M));
        if (index < 0) return undefined;
        given.add(index);
        return { found: messages[index] as M };
      };
      return until(`message, got ${JSON.stringify(messages).slice(0, 1000)}`, find, timeoutMs);
    },
    send(message) {
      child.send(message as Record<string, unknown>);
    },
    write(text) {
      child.stdin?.write(text);
    },
    signal(signal) {
      child.kill(signal);
    },
    async kill() {
      if (ended || child.pid === undefined) return;
      const gone = new Promise((resolve) => child.once('exit', () => setTimeout(resolve, 500)));
      child.kill('SIGKILL');
      // A grandchild that still holds the pipes keeps `close` away; the child itself is gone all the same.
      await Promise.race([exited.catch(() => {}), child.exitCode === null && child.signalCode === null ? gone : 0]);
    },
    [Symbol.asyncDispose]: () => proc.kill(),
  };
  return proc;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
