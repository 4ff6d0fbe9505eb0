import type { Contest, Event, Step } from './protocol.js';
import { mine } from './protocol.js';

export type ReleaseState = { contest: Contest } & (
  | { at: 'leaving' }
  | { at: 'emptying' }
  | { at: 'discarding'; left: readonly string[] }
  | { at: 'closing' }
  | { at: 'released' }
  | { at: 'release-lost' }
  | { at: 'release-broken'; error: unknown; code: string }
);

/** Where a release starts. */
export function beginRelease(contest: Contest): Step<ReleaseState> {
  return { state: { at: 'leaving', contest }, effect: { do: 'rmdir', path: mine(contest) } };
}

/** The next step of a release. */
export function decideRelease(state: ReleaseState, event: Event): Step<ReleaseState> {
  const { contest } = state;
  const code = event.type === 'failed' ? event.code : '';
  const broken = (): Step<ReleaseState> => ({
    state: { contest, at: 'release-broken', code, error: event.type === 'failed' ? event.error : undefined },
    effect: undefined,
  });
  const lost: Step<ReleaseState> = { state: { contest, at: 'release-lost' }, effect: undefined };
  switch (state.at) {
    case 'leaving':
      if (event.type === 'done')
        return { state: { contest, at: 'closing' }, effect: { do: 'rmdir', path: contest.lock } };
      if (code === 'ENOENT') return lost;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') return broken();
      return { state: { contest, at: 'emptying' }, effect: { do: 'list', path: mine(contest) } };
    case 'emptying':
      if (code === 'ENOENT') return lost;
      if (event.type !== 'listed') return broken();
      return discard(contest, event.names);
    case 'discarding':
      return discard(contest, state.left);
    case 'closing':
      return { state: { contest, at: 'released' }, effect: undefined }; // not empty: somebody else is in already
    case 'released':
    case 'release-lost':
    case 'release-broken':
      return { state, effect: undefined };
  }
}

function discard(contest: Contest, names: readonly string[]): Step<ReleaseState> {
  const [first, ...left] = names;
  if (first === undefined) return beginRelease(contest);
  return { state: { contest, at: 'discarding', left }, effect: { do: 'unlink', path: `${mine(contest)}/${first}` } };
}
