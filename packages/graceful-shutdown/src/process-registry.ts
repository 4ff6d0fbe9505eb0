import { systemClock } from '@holdfast/clock';
import { EXIT, forcedExitCode, worseExitCode } from './exit-code.js';
import { DUPLICATE_WINDOW_MS, type SignalPhase, signalIntent } from './signal-intent.js';

/** A lifecycle as the registry sees it. The shape is shared with every other copy of this package in the process. */
export interface Member {
  /** Starts the shutdown (in this very call) or joins the one under way; resolves with its exit code, never rejects. */
  shutdown(reason: string): Promise<number>;
  /** True for `run()`: when all members are done, the process ends. */
  readonly exits: boolean;
  /** Signals that are handled for this member. */
  readonly signals: readonly NodeJS.Signals[];
  /** True: uncaught exceptions and unhandled rejections drain first. */
  readonly uncaught: boolean;
}

/** One for the whole process, whatever the number of lifecycles and of copies of this package. */
export interface ProcessRegistry {
  /** Returns how to leave. Handlers are on the process only while a member needs them. */
  join(member: Member): () => void;
  /** Shuts every member down and ends the process if one of them wants that. */
  shutdownAll(reason: string, code: number): void;
}

const KEY = Symbol.for('holdfast.graceful-shutdown.registry.1');

/** The process's registry, created by whichever copy asks first. Nothing global is touched before. */
export function processRegistry(): ProcessRegistry {
  const holder = globalThis as { [KEY]?: ProcessRegistry };
  holder[KEY] ??= createRegistry();
  return holder[KEY];
}

/** How long the last output may take to be flushed before the process ends all the same. */
const FLUSH_MS = 1_000;

function createRegistry(): ProcessRegistry {
  const members = new Set<Member>();
  const installed = new Map<string, (first: never) => void>();
  let phase: SignalPhase = 'none';
  let cancelWindow = (): void => undefined;
  let worst: number = EXIT.clean;
  let ending: Set<Promise<void>> | undefined;
  let exits = false;

  const write = (line: string): void => {
    if ([...members].some((member) => member.exits)) process.stderr.write(`${line}\n`);
  };

  /** Each member acts in this very call: a listener that closes a turn of the event loop later resets more connections. */
  const shutDownMember = (member: Member, reason: string): Promise<void> => {
    exits ||= member.exits;
    return member.shutdown(reason).then((code) => {
      worst = worseExitCode(worst, code);
    });
  };

  const shutdownAll = (reason: string, code: number): void => {
    worst = worseExitCode(worst, code);
    if (ending) return;
    ending = new Set();
    for (const member of members) ending.add(shutDownMember(member, reason));
    void finish(ending);
  };

  const finish = async (ends: Set<Promise<void>>): Promise<void> => {
    // A member that joins meanwhile is waited for as well.
    for (const end of ends) await end;
    ending = undefined;
    const code = worst === EXIT.clean ? (process.exitCode ?? EXIT.clean) : worst;
    process.exitCode = code;
    if (!exits) return;
    await flush();
    process.exit(code);
  };

  const onSignal = (signal: NodeJS.Signals): void => {
    const intent = signalIntent(phase);
    if (intent === 'duplicate') return;
    if (intent === 'force') {
      write(`${signal} again: forced exit, what was in flight is lost`);
      process.exit(forcedExitCode(signal));
    }
    phase = 'just-now';
    cancelWindow = systemClock.schedule(DUPLICATE_WINDOW_MS, () => {
      // Signals that came while the process stood still are read after the timers: they belong to the window.
      const closing = setImmediate(() => {
        phase = 'a-while-ago';
      });
      cancelWindow = () => clearImmediate(closing);
    });
    shutdownAll(signal, EXIT.clean);
  };

  const onUncaught = (kind: string) => (error: unknown) => {
    write(`${kind}, shutting down: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    shutdownAll(kind, EXIT.uncaught);
  };

  const wanted = (): Map<string, (first: never) => void> => {
    const handlers = new Map<string, (first: never) => void>();
    for (const member of members) {
      for (const signal of member.signals) handlers.set(signal, onSignal as () => void);
      if (!member.uncaught) continue;
      handlers.set('uncaughtException', onUncaught('uncaught exception'));
      handlers.set('unhandledRejection', onUncaught('unhandled rejection'));
      handlers.set('beforeExit', () => shutdownAll('nothing left to wait for', EXIT.clean));
    }
    return handlers;
  };

  const sync = (): void => {
    const handlers = wanted();
    for (const [event, handler] of installed) {
      if (handlers.has(event)) continue;
      process.removeListener(event, handler as () => void);
      installed.delete(event);
    }
    for (const [event, handler] of handlers) {
      if (installed.has(event)) continue;
      process.on(event, handler as () => void);
      installed.set(event, handler);
    }
  };

  return {
    join(member) {
      members.add(member);
      sync();
      ending?.add(shutDownMember(member, 'the process is shutting down'));
      return () => {
        members.delete(member);
        sync();
        if (members.size > 0) return;
        cancelWindow();
        phase = 'none';
        worst = EXIT.clean;
      };
    },
    shutdownAll,
  };
}

/** Waits until what was written has left the process. */
async function flush(): Promise<void> {
  const written = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => void stream.write('', () => resolve())),
  );
  await Promise.race([
    Promise.all(written),
    new Promise<void>((resolve) => void systemClock.schedule(FLUSH_MS, resolve, { ref: true })),
  ]);
}
