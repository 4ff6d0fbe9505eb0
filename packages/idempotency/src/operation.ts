import type { Step } from './decide.js';
import { IdempotencyError } from './errors.js';
import { decodeValue, encodeValue } from './value.js';

/** What `fn` is given. */
export interface Operation {
  /** The caller's key. */
  readonly key: string;
  /** The same for every attempt at this run, whoever makes it, and new for the next run of the key: an id to hand on downstream. */
  readonly id: string;
  /** New for each attempt; only its holder may settle. */
  readonly token: string;
  /** Counts from 1; above it, an earlier attempt failed or its process died. */
  readonly attempt: number;
  /** Aborts when the key is lost: somebody else may be running it from then on. */
  readonly signal: AbortSignal;
  /**
   * Runs `fn` unless an earlier attempt at this run finished the step of this name; then gives what it gave. The step counts
   * as finished once its value is recorded.
   *
   * Not guaranteed: a crash between the end of `fn` and its recording repeats the step at the next attempt.
   *
   * @throws IdempotencyError `IDEMPOTENCY_STEP_AMBIGUOUS` with the `value`, when the step ran and could not be recorded:
   * catch it to go on, let it through to have the step repeated; `IDEMPOTENCY_LEASE_LOST`; `IDEMPOTENCY_INVALID_VALUE`.
   */
  step<T>(name: string, fn: () => T | Promise<T>): Promise<T>;
}

/** What an operation needs from the run that it belongs to. */
export interface OperationHost {
  /** Resolves with whether the token still owned the key. */
  recordStep(name: string, value: string): Promise<boolean>;
}

/** The operation of one attempt. */
export class RunOperation implements Operation {
  readonly key: string;
  readonly id: string;
  readonly token: string;
  readonly attempt: number;
  /** Absent when the run is not recorded anywhere. */
  readonly #host: OperationHost | undefined;
  readonly #remembered: readonly Step[];
  #steps: Map<string, Promise<unknown>> | undefined;
  #controller: AbortController | undefined;
  #lost: IdempotencyError | undefined;

  constructor(
    key: string,
    id: string,
    token: string,
    attempt: number,
    steps: readonly Step[],
    host: OperationHost | undefined,
  ) {
    this.key = key;
    this.id = id;
    this.token = token;
    this.attempt = attempt;
    this.#remembered = steps;
    this.#host = host;
  }

  /** Made on first use: most runs never look at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#lost) this.#controller.abort(this.#lost);
    return this.#controller.signal;
  }

  /** Tells the run that its key is lost. */
  lose(error: IdempotencyError): void {
    this.#lost ??= error;
    this.#controller?.abort(this.#lost);
  }

  get lost(): IdempotencyError | undefined {
    return this.#lost;
  }

  step<T>(name: string, fn: () => T | Promise<T>): Promise<T> {
    if (typeof name !== 'string' || name === '' || name.length > 256)
      throw new IdempotencyError('IDEMPOTENCY_INVALID_OPTION', 'a step needs a name of 1 to 256 characters');
    this.#steps ??= new Map();
    const running = this.#steps.get(name);
    if (running) return running as Promise<T>;
    const result = this.#runStep(name, fn);
    this.#steps.set(name, result);
    // A step that failed may be tried again inside the same attempt.
    result.catch(() => this.#steps?.delete(name));
    return result;
  }

  async #runStep<T>(name: string, fn: () => T | Promise<T>): Promise<T> {
    const known = this.#remembered.find((step) => step[0] === name);
    if (known) return decodeValue(known[1]) as T;
    if (this.#lost) throw this.#lost;
    const value = await fn();
    if (!this.#host) return value;
    const encoded = encodeValue(value);
    let recorded: boolean;
    try {
      recorded = await this.#host.recordStep(name, encoded);
    } catch (cause) {
      throw new IdempotencyError(
        'IDEMPOTENCY_STEP_AMBIGUOUS',
        `step ${JSON.stringify(name)} ran but could not be recorded; a later attempt would run it again`,
        { key: this.key, step: name, value },
        { cause },
      );
    }
    if (recorded) return value;
    const lost = this.#lost ?? leaseLost(this.key, 'step-refused');
    this.lose(lost);
    throw lost;
  }
}

/** The error of a run that is no longer the owner of its key. */
export function leaseLost(key: string, reason: NonNullable<IdempotencyError['reason']>): IdempotencyError {
  const how = {
    'renewal-refused': 'another owner has taken it over',
    'lease-ended': 'its lease ended before the store could be reached to renew it',
    'ran-too-long': 'it ran longer than maxRunMs',
    'settle-refused': 'another owner had taken it over when the result came',
    'step-refused': 'another owner had taken it over when a step was recorded',
  }[reason];
  return new IdempotencyError('IDEMPOTENCY_LEASE_LOST', `the run of key ${JSON.stringify(key)} lost its key: ${how}`, {
    key,
    reason,
  });
}
