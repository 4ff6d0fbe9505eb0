import type { Clock } from '@holdfast/clock';
import type { ShutdownReport } from './contract.js';
import { LifecycleError } from './errors.js';
import type { LifecycleEvent } from './events.js';
import type { ManagedServer } from './http-component.js';
import type { Jobs } from './jobs.js';

/** What a drain has to do with. */
export interface Draining {
  readonly servers: readonly ManagedServer[];
  readonly jobs: Jobs;
  /** Aborted once the listeners are being closed. */
  readonly signal: AbortController;
  readonly drainTimeoutMs: number;
  readonly keepAliveGraceMs: number;
  readonly clock: Clock;
  readonly emit: (event: LifecycleEvent) => void;
}

/** The part of the report that a drain fills in. */
export type Drained = Pick<ShutdownReport, 'drainMs' | 'drainTimedOut' | 'servers' | 'abandonedJobs'>;

/** Where there was nothing to drain. */
export const NOTHING_DRAINED: Drained = { drainMs: 0, drainTimedOut: false, servers: {}, abandonedJobs: [] };

/** How long an aborted job has to put its work down before components are stopped. */
const JOB_ABORT_GRACE_MS = 500;

/** Drains every server, beginning in this very call, then waits for the jobs; what outlasts `drainTimeoutMs` is cut or aborted. */
export async function drainAll(draining: Draining): Promise<Drained> {
  const { servers, jobs, signal, drainTimeoutMs, keepAliveGraceMs, clock, emit } = draining;
  const startedMs = clock.monotonic();
  const deadlineMs = startedMs + drainTimeoutMs;
  const order = { startedMs, deadlineMs, keepAliveGraceMs };
  const drains = servers.map(async ({ name, supervisor }) => {
    const atStart = { connections: supervisor.connections(), inFlight: supervisor.inFlight() };
    const draining = supervisor.drain(order);
    emit({ type: 'drain.started', component: name, ...atStart });
    const result = await draining;
    const cut = result.cut.stalled + result.cut.timeout;
    const ms = Math.round(clock.monotonic() - startedMs);
    emit({ type: 'drain.ended', component: name, ms, timedOut: result.timedOut, cut });
    return [name, result] as const;
  });
  signal.abort(new LifecycleError('LIFECYCLE_STOPPING', 'the service is shutting down'));
  let abandonedJobs: string[] = [];
  const jobsInTime = new Promise<void>((resolve) => {
    const cancel = clock.schedule(
      drainTimeoutMs,
      () => {
        abandonedJobs = jobs.abort(new LifecycleError('LIFECYCLE_STOPPING', 'drainTimeoutMs is spent'));
        if (abandonedJobs.length > 0) clock.schedule(JOB_ABORT_GRACE_MS, resolve, { ref: true });
        void jobs.idle().then(resolve);
      },
      { ref: true },
    );
    // Requests in flight may still start jobs, so jobs are counted once the servers are quiet.
    void Promise.all(drains)
      .then(() => jobs.idle())
      .then(() => {
        cancel();
        resolve();
      });
  });
  const results = await Promise.all(drains);
  await jobsInTime;
  jobs.refuse();
  return {
    drainMs: Math.round(clock.monotonic() - startedMs),
    drainTimedOut: abandonedJobs.length > 0 || results.some(([, result]) => result.timedOut),
    servers: Object.fromEntries(results),
    abandonedJobs,
  };
}
