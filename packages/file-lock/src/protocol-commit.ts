import type { Contest, Event, Step } from './protocol.js';
import { mine, stagePath } from './protocol.js';

export type CommitState = { contest: Contest; stage: string; file: string } & (
  | { at: 'staging' }
  | { at: 'publishing' }
  | { at: 'checking'; error: unknown; code: string }
  | { at: 'committed' }
  | { at: 'commit-lost' }
  | { at: 'commit-broken'; error: unknown; code: string }
);

/** Where a commit starts: `stage` is a name inside my own directory, `file` what it replaces. */
export function beginCommit(contest: Contest, stage: string, file: string): Step<CommitState> {
  return { state: { at: 'staging', contest, stage, file }, effect: { do: 'stage', path: stagePath(contest, stage) } };
}

/** The next step of a commit. */
export function decideCommit(state: CommitState, event: Event): Step<CommitState> {
  const { contest, stage, file } = state;
  const code = event.type === 'failed' ? event.code : '';
  const error = event.type === 'failed' ? event.error : undefined;
  switch (state.at) {
    case 'staging':
      if (event.type === 'done')
        return {
          state: { contest, stage, file, at: 'publishing' },
          effect: { do: 'rename', from: stagePath(contest, stage), to: file },
        };
      return {
        state: { contest, stage, file, at: 'checking', code, error },
        effect: { do: 'stat', path: mine(contest) },
      };
    case 'publishing':
      if (event.type === 'done') return { state: { contest, stage, file, at: 'committed' }, effect: undefined };
      return {
        state: { contest, stage, file, at: 'checking', code, error },
        effect: { do: 'stat', path: mine(contest) },
      };
    case 'checking': {
      const lost = code === 'ENOENT';
      return lost
        ? { state: { contest, stage, file, at: 'commit-lost' }, effect: undefined }
        : {
            state: { contest, stage, file, at: 'commit-broken', code: state.code, error: state.error },
            effect: undefined,
          };
    }
    case 'committed':
    case 'commit-lost':
    case 'commit-broken':
      return { state, effect: undefined };
  }
}
