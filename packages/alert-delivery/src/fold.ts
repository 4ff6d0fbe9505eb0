import { digestOf } from './digest.js';
import type { FullStep } from './options.js';
import type { Parcel } from './parcel.js';
import type { Post } from './post.js';

/** Makes one message of `parcel` and `others`: `parcel` carries it, the others are folded. */
export function fold(parcel: Parcel, others: readonly Parcel[], channel: string, post: Post): void {
  const id = post.digestId();
  const works = [parcel, ...others].flatMap((each) => each.works);
  parcel.absorb(
    others,
    digestOf(
      works.map((work) => work.record),
      id,
      channel,
    ),
    id,
  );
  post.carries(parcel);
  post.emit({ type: 'digest.made', id, channel, count: works.length });
}

/** Only messages that would go the same way from here may become one. */
export function foldKey(step: FullStep, limits: { force: boolean; last: boolean }, parcel: Parcel): string {
  return `${step.channel.name} ${limits.force} ${limits.last} ${parcel.routeKey}`;
}
