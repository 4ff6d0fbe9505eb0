import { type Proc, runNode } from '@holdfast/testkit';

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly proc: Proc;
}

/** Starts one of the programs that serve HTTP and waits until it listens. */
export async function serve(
  program: URL,
  env: Record<string, string>,
  nodeArgs: string[] = [],
): Promise<RunningServer> {
  const proc = runNode(program, { env, nodeArgs });
  const [, port] = await proc.waitFor(/listening on (\d+)/, 30_000);
  return {
    url: `http://127.0.0.1:${port}`,
    port: Number(port),
    proc,
    [Symbol.asyncDispose]: () => proc.kill(),
  };
}

/** Posts JSON; resolves with the status, or 0 when no answer came. */
export async function post(url: string, body: unknown, timeoutMs = 15_000): Promise<number> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

export async function getJson<T>(url: string, timeoutMs = 15_000): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return (await response.json()) as T;
}
