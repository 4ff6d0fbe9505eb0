export type { ComponentState, StartContext, StopContext, StopStep } from './components.js';
export { isLifecycleError, LifecycleError, type LifecycleErrorCode, type LifecycleErrorFacts } from './errors.js';
export type { DeadlineEvent, LifecycleEvent } from './events.js';
export type { ComponentHealth, Health } from './health-report.js';
export type { HttpOptions } from './http-component.js';
export {
  type Component,
  type ComponentOptions,
  createLifecycle,
  type Lifecycle,
  type ShutdownReport,
  type SignalOptions,
} from './lifecycle.js';
export type { State } from './lifecycle-state.js';
export { DEFAULTS, type LifecycleOptions } from './options.js';
export type { FastifyApp, ServerLike } from './server-kind.js';
export type { DrainResult, Http2Server, HttpServer } from './supervisor.js';
