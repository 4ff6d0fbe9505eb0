import { manualClock } from '@holdfast/clock';
import { describe, expect, it } from 'vitest';
import { dependentsOf, needsOf, startOrder } from '../../src/dependency-graph.js';
import { forcedExitCode, worseExitCode } from '../../src/exit-code.js';
import { createLifecycle, isLifecycleError, type LifecycleErrorCode } from '../../src/index.js';
import { type Happening, nextState, type State } from '../../src/lifecycle-state.js';
import { requestDeadline } from '../../src/node.js';
import { signalIntent } from '../../src/signal-intent.js';

const node = (name: string, ...dependsOn: string[]) => ({ name, dependsOn });
function codeOf(fn: () => unknown): LifecycleErrorCode | undefined {
  try {
    fn();
  } catch (error) {
    if (isLifecycleError(error)) return error.code;
    throw error;
  }
  return undefined;
}

describe('startOrder', () => {
  it('[P8] puts each component after all it depends on, else keeps the order of adding', () => {
    expect(startOrder([node('http', 'kb', 'mail'), node('kb', 'db'), node('mail'), node('db')])).toEqual([
      'db',
      'kb',
      'mail',
      'http',
    ]);
    expect(dependentsOf([node('a'), node('b', 'a'), node('c', 'a')]).get('a')).toEqual(['b', 'c']);
    expect([...needsOf([node('a', 'b'), node('b', 'c'), node('c')], 'a')]).toEqual(['b', 'c']);
  });

  it('[P8] names the components of a cycle and an unknown dependency', () => {
    expect(() => startOrder([node('a', 'b'), node('b', 'c'), node('c', 'b')])).toThrow('b -> c -> b');
    expect(() => startOrder([node('a', 'a')])).toThrow('a -> a');
    expect(() => startOrder([node('a', 'nope')])).toThrow("'a' depends on 'nope'");
  });
});

describe('nextState', () => {
  const table: Record<State, Partial<Record<Happening, State>>> = {
    idle: { start: 'starting', shutdown: 'stopped' },
    starting: { started: 'ready', 'start-failed': 'failed', shutdown: 'stopping' },
    ready: { shutdown: 'draining' },
    draining: { drained: 'stopping' },
    stopping: { stopped: 'stopped' },
    stopped: {},
    failed: {},
  };
  const happenings: Happening[] = ['start', 'started', 'start-failed', 'shutdown', 'drained', 'stopped'];
  for (const state of Object.keys(table) as State[])
    for (const happening of happenings)
      it(`[P9] ${state} + ${happening} is ${table[state][happening] ?? 'no change'}`, () => {
        expect(nextState(state, happening)).toBe(table[state][happening]);
      });
});

describe('signals and exit codes', () => {
  it('[P10] takes signals just after the first for one, a later one as force', () => {
    expect(signalIntent('none')).toBe('shutdown');
    expect(signalIntent('just-now')).toBe('duplicate');
    expect(signalIntent('a-while-ago')).toBe('force');
  });

  it('[P10] forces with 130 and 143, and ends several lifecycles with the worst code', () => {
    expect([forcedExitCode('SIGINT'), forcedExitCode('SIGTERM')]).toEqual([130, 143]);
    expect([worseExitCode(0, 0), worseExitCode(0, 1), worseExitCode(1, 0), worseExitCode(1, 70)]).toEqual([
      0, 1, 1, 70,
    ]);
  });
});

describe('createLifecycle', () => {
  it('[P11] refuses bad options naming the option and the value', () => {
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
      expect(() => createLifecycle({ drainTimeoutMs: bad })).toThrow(`drainTimeoutMs must be a number of milliseconds`);
    expect(() => createLifecycle({ health: { port: 70_000 } })).toThrow('health.port');
    expect(codeOf(() => createLifecycle().add('', {}))).toBe('LIFECYCLE_INVALID_OPTION');
    expect(codeOf(() => createLifecycle().http('x', (() => undefined) as never))).toBe('LIFECYCLE_INVALID_OPTION');
    for (const bad of [0, -1, 2 ** 31, Number.NaN]) {
      expect(() => requestDeadline({ handlerMs: bad })).toThrow('handlerMs');
      expect(() => requestDeadline({ handlerMs: 1, bodyMs: bad })).toThrow('bodyMs');
    }
    expect(() => requestDeadline({ handlerMs: 1, bodyStatus: 200 })).toThrow('bodyStatus');
  });

  it('[P8] start() rejects for a cycle and for an unknown name before anything is started', async () => {
    const log: string[] = [];
    for (const [dependsOn, code] of [
      [['b'], 'LIFECYCLE_CYCLE'],
      [['nowhere'], 'LIFECYCLE_UNKNOWN_COMPONENT'],
    ] as const) {
      const lifecycle = createLifecycle();
      lifecycle.add('free', { start: () => log.push('started') });
      lifecycle.add('a', { dependsOn });
      lifecycle.add('b', { dependsOn: ['a'] });
      await expect(lifecycle.start()).rejects.toMatchObject({ code });
    }
    expect(log).toEqual([]);
  });

  it('[P11] refuses a duplicate name, adding after start, starting twice and a value that is not there', async () => {
    const lifecycle = createLifecycle();
    const db = lifecycle.add('db', { start: () => 'value' });
    expect(codeOf(() => lifecycle.add('db', {}))).toBe('LIFECYCLE_DUPLICATE_NAME');
    expect(codeOf(() => db.value)).toBe('LIFECYCLE_NOT_STARTED');
    await lifecycle.start();
    expect(db.value).toBe('value');
    expect(codeOf(() => lifecycle.add('late', {}))).toBe('LIFECYCLE_ALREADY_STARTED');
    await expect(lifecycle.start()).rejects.toMatchObject({ code: 'LIFECYCLE_ALREADY_STARTED' });
    await lifecycle.shutdown();
    expect(codeOf(() => db.value)).toBe('LIFECYCLE_NOT_STARTED');
  });

  it('[P12] starts in parallel what is independent, stops in reverse, closing values by their own close()', async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle();
    const part = (name: string) => ({
      start: async () => {
        log.push(`+${name}`);
        await Promise.resolve();
        return { close: () => void log.push(`-${name}`) };
      },
    });
    lifecycle.add('app', { ...part('app'), dependsOn: ['kb', 'mail'] });
    lifecycle.add('kb', { ...part('kb'), dependsOn: ['db'] });
    lifecycle.add('mail', part('mail'));
    lifecycle.add('db', part('db'));
    await lifecycle.start();
    expect(log.slice(0, 2).sort()).toEqual(['+db', '+mail']);
    expect(log.slice(2)).toEqual(['+kb', '+app']);
    const report = await lifecycle.shutdown();
    expect(report).toMatchObject({ clean: true, exitCode: 0 });
    expect(log.slice(4).indexOf('-app')).toBe(0);
    expect(log.indexOf('-kb')).toBeLessThan(log.indexOf('-db'));
    expect(report.steps.map(({ name, outcome }) => [name, outcome])).toContainEqual(['db', 'ok']);
    expect(await lifecycle.shutdown()).toBe(report);
  });

  it('[P13] undoes in reverse what had started when one fails, and names it', async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle();
    lifecycle.add('a', { start: () => undefined, stop: () => log.push('-a') });
    lifecycle.add('b', { start: () => undefined, stop: () => log.push('-b'), dependsOn: ['a'] });
    lifecycle.add('c', {
      start: () => {
        throw new Error('no route to host');
      },
      dependsOn: ['b'],
    });
    const failure = lifecycle.start();
    await expect(failure).rejects.toMatchObject({ code: 'LIFECYCLE_START_FAILED', component: 'c' });
    await expect(failure).rejects.toThrow('no route to host');
    expect(log).toEqual(['-b', '-a']);
    expect(lifecycle.state).toBe('failed');
    expect(await lifecycle.shutdown()).toMatchObject({ exitCode: 1 });
  });

  it('[P14] names and passes a stop that hangs, and one that throws does not keep the others from stopping', async () => {
    const clock = manualClock();
    const log: string[] = [];
    const lifecycle = createLifecycle({ clock, stopTimeoutMs: 1_000 });
    lifecycle.add('db', { stop: () => log.push('-db') });
    lifecycle.add('hangs', { stop: () => new Promise(() => undefined), dependsOn: ['db'], stopTimeoutMs: 300 });
    lifecycle.add('throws', {
      stop: () => {
        throw new Error('cannot flush');
      },
      dependsOn: ['db'],
    });
    await lifecycle.start();
    const done = lifecycle.shutdown();
    await clock.advance(299);
    expect(log).toEqual([]);
    await clock.advance(1);
    const report = await done;
    expect(log).toEqual(['-db']);
    expect(report).toMatchObject({ clean: false, exitCode: 1 });
    expect(report.steps).toEqual([
      { name: 'throws', ms: 0, outcome: 'failed', error: 'cannot flush' },
      { name: 'hangs', ms: 300, outcome: 'overran', error: "'hangs' did not stop within 300 ms" },
      { name: 'db', ms: 0, outcome: 'ok' },
    ]);
  });

  it('[P15] a shutdown while starting aborts the start and undoes; a start that ignores it is given up', async () => {
    const clock = manualClock();
    const log: string[] = [];
    const obedient = createLifecycle({ clock });
    obedient.add('db', { stop: () => log.push('-db') });
    obedient.add('slow', {
      start: ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      dependsOn: ['db'],
    });
    const starting = obedient.start();
    starting.catch(() => undefined);
    await clock.advance(10);
    expect(await obedient.shutdown('SIGTERM')).toMatchObject({ clean: true, exitCode: 0 });
    await expect(starting).rejects.toMatchObject({ code: 'LIFECYCLE_STOPPING' });
    expect(log).toEqual(['-db']);

    const deaf = createLifecycle({ clock, stopTimeoutMs: 500 });
    deaf.add('deaf', { start: () => new Promise(() => undefined) });
    const never = deaf.start();
    never.catch(() => undefined);
    await clock.advance(10);
    const report = deaf.shutdown();
    await clock.advance(500);
    expect(await report).toMatchObject({ exitCode: 1 });
    await expect(never).rejects.toMatchObject({ code: 'LIFECYCLE_START_FAILED', component: 'deaf' });
  });

  it('[P16] waits for jobs, refuses them once stopping, and aborts and names those that outlast the drain', async () => {
    const clock = manualClock();
    const lifecycle = createLifecycle({ clock, drainTimeoutMs: 2_000 });
    const log: string[] = [];
    lifecycle.add('db', { stop: () => log.push('-db') });
    await lifecycle.start();
    let finish = (): void => undefined;
    void lifecycle.job('report', () => new Promise<void>((resolve) => (finish = resolve))).then(() => log.push('job'));
    const aborted = lifecycle.job(
      'endless',
      (signal) => new Promise((_r, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    aborted.catch(() => undefined);
    const done = lifecycle.shutdown();
    await clock.advance(1_000);
    expect(lifecycle.signal.aborted).toBe(true);
    expect(lifecycle.state).toBe('draining');
    finish();
    await clock.advance(1_000);
    expect(await done).toMatchObject({ exitCode: 1, drainTimedOut: true, abandonedJobs: ['endless'] });
    expect(log).toEqual(['job', '-db']);
    await expect(aborted).rejects.toMatchObject({ code: 'LIFECYCLE_STOPPING' });
    await expect(lifecycle.job('late', async () => 1)).rejects.toMatchObject({ code: 'LIFECYCLE_STOPPING' });
  });

  it('[P17] health() runs each check at most once a second and calls a throw degraded, with its message', async () => {
    const clock = manualClock();
    const events: string[] = [];
    let checks = 0;
    let broken = false;
    const lifecycle = createLifecycle({ clock, onEvent: (event) => events.push(event.type) });
    lifecycle.add('kb', {
      start: () => 'kb',
      check: (value) => {
        checks++;
        if (broken) throw new Error(`${value} lags behind`);
      },
    });
    expect(lifecycle.health()).toMatchObject({ state: 'idle', ready: false, live: true });
    await lifecycle.start();
    lifecycle.health();
    expect(lifecycle.health()).toMatchObject({ status: 'ok', ready: true, components: { kb: { status: 'ok' } } });
    expect(checks).toBe(1);
    broken = true;
    await clock.advance(1_000);
    expect(lifecycle.health()).toMatchObject({
      status: 'degraded',
      ready: true,
      components: { kb: { status: 'degraded', message: 'kb lags behind' } },
    });
    broken = false;
    await clock.advance(1_000);
    expect(lifecycle.health()).toMatchObject({ status: 'ok' });
    expect(events.filter((type) => type.startsWith('check.'))).toEqual(['check.failed', 'check.recovered']);
    await lifecycle.shutdown();
  });

  it('[P18] touches nothing global until signals are installed, and undoes what it installed', () => {
    const before = process.listenerCount('SIGTERM');
    const lifecycle = createLifecycle();
    expect(process.listenerCount('SIGTERM')).toBe(before);
    const undo = lifecycle.installSignals();
    const undoOther = createLifecycle().installSignals();
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    undo();
    undoOther();
    expect(process.listenerCount('SIGTERM')).toBe(before);
    expect(process.listenerCount('SIGINT')).toBe(before === 0 ? 0 : process.listenerCount('SIGINT'));
  });
});
