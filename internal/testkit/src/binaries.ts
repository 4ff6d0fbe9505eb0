import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that some tests need and a machine may lack. */
export type Tool = 'mongod' | 'alertmanager' | 'amtool' | 'promtool' | 'chromium';

const NAMES: Record<Tool, readonly string[]> = {
  mongod: ['mongod'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
  amtool: ['amtool'],
  promtool: ['promtool'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
};

/** Where the test run keeps what it downloads: `HOLDFAST_CACHE`, else `.cache` in the repository, which `npm ci` leaves alone. */
export function cacheDir(): string {
  return process.env.HOLDFAST_CACHE || fileURLToPath(new URL('../../../.cache', import.meta.url));
}

/**
 * The path of the program, or undefined when this machine has none. Looks at `HOLDFAST_<TOOL>` (set but empty: there is
 * none), for mongod also at `MONGOD_BINARY`, then along PATH, then in the cache folder. Never downloads.
 */
export function needs(tool: Tool): string | undefined {
  const told = process.env[`HOLDFAST_${tool.toUpperCase()}`];
  if (told !== undefined) return told || undefined;
  if (tool === 'mongod' && process.env.MONGOD_BINARY) return process.env.MONGOD_BINARY;
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/bin', join(cacheDir(), 'bin')];
  return folders.flatMap((folder) => NAMES[tool].map((name) => join(folder, name))).find(isExecutable);
}

/** The same as `needs('mongod')`. */
export async function findMongod(): Promise<string | undefined> {
  return needs('mongod');
}

/** The same as `needs('alertmanager')`. */
export function findAlertmanager(): string | undefined {
  return needs('alertmanager');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
