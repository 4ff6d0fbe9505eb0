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
export type { SmtpRule } from './smtp.js';
