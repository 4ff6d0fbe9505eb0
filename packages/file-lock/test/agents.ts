import type { Proc, RunOptions } from '@holdfast/testkit';
import { runProcess } from '@holdfast/testkit';
import type { Bundle } from './bundle.js';

/** What an agent (`test/fixtures/agent.ts`) may be told beside the operation. */
export interface Told {
  file?: string;
  text?: string;
  ms?: number;
  size?: number;
  count?: number;
  token?: string;
  options?: object;
}

/** A process that locks on demand. */
export interface Agent extends AsyncDisposable {
  readonly proc: Proc;
  /** Has the operation done; rejects with the `code`, `message` and `holder` of the error it met. */
  call<T = unknown>(op: string, told?: Told, timeoutMs?: number): Promise<T>;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: { code?: string; message: string; holder?: unknown; cause?: string };
}

/** Starts an agent and waits until it listens. `before` is a program in front of node (strace, unshare). */
export async function startAgent(bundle: Bundle, before: string[] = [], options: RunOptions = {}): Promise<Agent> {
  const command = [...before, process.execPath, bundle.file('agent')];
  const proc = runProcess(command[0] as string, command.slice(1), { ipc: true, ...options });
  await proc.nextMessage((answer: Answer) => answer.id === 0, 30_000);
  let calls = 0;
  return {
    proc,
    async call<T>(op: string, told: Told = {}, timeoutMs = 30_000) {
      const id = ++calls;
      proc.send({ id, op, options: {}, ...told });
      const { value, error } = await proc.nextMessage((answer: Answer) => answer.id === id, timeoutMs);
      if (error) throw Object.assign(new Error(error.message), error);
      return value as T;
    },
    [Symbol.asyncDispose]: () => proc.kill(),
  };
}

/** As many as a test has names for. */
type Several = [Agent, Agent, Agent, Agent, Agent, ...Agent[]] & AsyncDisposable;

/** Several at once. */
export async function startAgents(bundle: Bundle, count: number): Promise<Several> {
  const agents = await Promise.all(Array.from({ length: count }, () => startAgent(bundle)));
  return Object.assign(agents as [Agent, Agent, Agent, Agent, Agent], {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(agents.map((agent) => agent.proc.kill()));
    },
  });
}
