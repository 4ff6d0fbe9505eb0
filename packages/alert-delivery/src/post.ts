import type { Clock } from '@holdfast/clock';
import type { ChannelGate } from './channel-gate.js';
import type { DeliveryEvent } from './events.js';
import type { EndEvent, EscalationReason, LifeEvent } from './life.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';

/** How the walk of a parcel through its route ended. */
export type WalkEnd =
  | { readonly kind: 'ended'; readonly end: EndEvent }
  /** Another parcel carries it now. */
  | { readonly kind: 'folded' }
  /** Delivery is closing: it stays in the store as it is. */
  | { readonly kind: 'stopped' }
  /** Another instance took it over. */
  | { readonly kind: 'lost' };

/** How one step of a walk ended. */
export type StepResult =
  | { readonly kind: 'delivered'; readonly event: Extract<LifeEvent, { type: 'delivered' }> }
  | { readonly kind: 'ended'; readonly why: EscalationReason; readonly attempted: boolean }
  | { readonly kind: 'folded' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'lost' };

/** What a walk needs from the delivery it belongs to. */
export interface Post {
  readonly clock: Clock;
  readonly random: () => number;
  readonly run: string;
  readonly deadlineMs: number;
  gate(step: FullStep): ChannelGate<Parcel>;
  /** When each channel that has a gate last failed. */
  readonly channels: { lastFailedAtMs(name: string): number };
  redact(text: string): string;
  emit(event: DeliveryEvent): void;
  digestId(): string;
  /** The parcel carries the alerts of others from now on. */
  carries(parcel: Parcel): void;
  /** The channels that got firings which this parcel resolves, other than `delivered`. */
  firingSteps(parcel: Parcel, delivered: string): Promise<readonly FullStep[]>;
}
