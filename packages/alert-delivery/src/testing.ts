export { type ConformanceCase, storeConformance } from './conformance.js';
export {
  type FakeProvider,
  fakeProvider,
  type ProviderKind,
  type ProviderReply,
  type ProviderRequest,
} from './fake-provider.js';
export type { RuleRow } from './http-post.js';
export { memoryStore } from './memory-store.js';
export { PROVIDER_RULES } from './provider-rules.js';
export { PLANTED_BUGS, type PlantedBug } from './simulation/planted.js';
export { type ScheduleReport, simulate, type Trace } from './simulation/simulation.js';
export type { SmtpRule } from './smtp.js';
