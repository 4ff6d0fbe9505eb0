import { AsyncLocalStorage } from 'node:async_hooks';
import { FileLockError } from './errors.js';
import type { Target } from './target.js';

interface Scope {
  readonly lock: string;
  readonly outer: Scope | undefined;
  /** False once the callback's hold has been given back: what it left running may lock the file again. */
  active: boolean;
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs `fn` so that whatever it calls can see that `target` is locked by its own caller. */
export async function insideLock<T>(target: Target, fn: () => T | Promise<T>): Promise<T> {
  const scope: Scope = { lock: target.lock, outer: scopes.getStore(), active: true };
  try {
    return await scopes.run(scope, fn);
  } finally {
    scope.active = false;
  }
}

/** Throws FILE_LOCK_DEADLOCK if the running callback itself holds `target`: it would wait for its own end. */
export function refuseDeadlock(target: Target): void {
  for (let scope = scopes.getStore(); scope; scope = scope.outer) {
    if (!scope.active || scope.lock !== target.lock) continue;
    const message = `this callback runs under the lock on ${target.file} and would wait for itself; use the content or the hold it was given`;
    throw new FileLockError('FILE_LOCK_DEADLOCK', message, { path: target.file });
  }
}
