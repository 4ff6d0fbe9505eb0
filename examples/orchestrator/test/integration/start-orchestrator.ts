import { fileURLToPath } from 'node:url';
import { runNode, runProcess } from '@holdfast/testkit';

const MAIN = new URL('../../src/main.ts', import.meta.url);

/** The orchestrator as a process of its own, on a free port; from its source, or `main` if given. */
export async function startOrchestrator(dir: string, env: Record<string, string> = {}, main = MAIN) {
  const options = {
    env: { DATA_DIR: dir, PORT: '0', LOG_LEVEL: 'info', ALERT_PEERS: '1', ...env },
  };
  const proc = main === MAIN ? runNode(MAIN, options) : runProcess(process.execPath, [fileURLToPath(main)], options);
  const [, url] = await proc.waitFor(/listens on (http:\/\/[\d.]+:\d+)/, 40_000);
  const call = async (path: string, init: RequestInit & { body?: string } = {}) => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: tests read whatever comes
    return { status: response.status, text, json: (): any => JSON.parse(text) };
  };
  return {
    proc,
    url: url!,
    port: Number(new URL(url!).port),
    call,
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      call(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers }),
  };
}
