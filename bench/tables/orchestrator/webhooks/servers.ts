import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Proc, runNode, runProcess } from '@holdfast/testkit';

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const TSX_TSCONFIG_PATH = join(repository, 'bench', 'tsconfig.json');

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly proc: Proc;
}

/** The orchestrator as built. */
export function orchestrator(dir: string, slackUrl: string, env: Record<string, string> = {}): Promise<Server> {
  return listening(
    runProcess(process.execPath, ['--expose-gc', join(repository, 'examples/orchestrator/dist/main.js')], {
      env: { DATA_DIR: dir, PORT: '0', LOG_LEVEL: 'warn', SLACK_WEBHOOK_URL: `${slackUrl}/services/T0/B0/x`, ...env },
    }),
  );
}

export function naive(slackUrl: string, env: Record<string, string> = {}): Promise<Server> {
  return listening(
    runNode(new URL('./naive.ts', import.meta.url), {
      env: { TSX_TSCONFIG_PATH, SLACK_WEBHOOK_URL: slackUrl, ...env },
      nodeArgs: ['--expose-gc'],
    }),
  );
}

export function slack(): Promise<Server> {
  return listening(runNode(new URL('./slack.ts', import.meta.url), { env: { TSX_TSCONFIG_PATH } }));
}

async function listening(proc: Proc): Promise<Server> {
  const [, url] = await proc.waitFor(/listens on (http:\/\/[\d.]+:\d+)/, 60_000);
  return { url: url!, proc, [Symbol.asyncDispose]: () => proc.kill() };
}
