import type { Document } from 'mongodb';
import { type ClaimRequest, MAX_OLDER } from './decide.js';

/**
 * The rules of `decide.ts` as update pipelines, so that a claim is one atomic operation on the server and only the server's
 * clock counts. `takes` mirrors when `decideClaim` says `mine`; what else the claimant is told comes from `decideClaim` itself,
 * applied to the document that the operation returns. A test compares both on random records.
 */

/** Epoch milliseconds on the server, fixed at the start of the operation. */
export const NOW: Document = { $toLong: '$$NOW' };

/** Everything that came from a caller goes through this: `"$run"` would be a field, `{ $set: … }` an operator. */
const literal = (value: unknown): Document => ({ $literal: value });
const later = (ms: number): Document => ({ $add: [NOW, ms] });
const isObject = (field: string): Document => ({ $eq: [{ $type: field }, 'object'] });
const LIVE: Document = { $gt: ['$expiresAt', NOW] };
const DELIVERED: Document = { $and: [LIVE, isObject('$last')] };
const EXPIRES: Document[] = [{ $set: { exp: { $toDate: '$expiresAt' } } }];

export function claimPipeline(id: string, request: ClaimRequest): Document[] {
  const { lane } = request;
  const state = literal(request.state);
  const resumed = { $and: [LIVE, isObject('$run'), { $eq: ['$run.state', state] }] };
  const run = {
    state,
    id: { $cond: [resumed, '$run.id', literal(request.id)] },
    token: literal(request.token),
    attempt: { $cond: [resumed, { $add: ['$run.attempt', 1] }, 1] },
    claimedAt: NOW,
    until: later(request.leaseMs),
    steps: { $cond: [resumed, '$run.steps', []] },
    why: reason(request, resumed, state),
    ...(lane && {
      lane: {
        ...(lane.late && { sender: literal(lane.late.sender) }),
        repeat: literal(lane.repeat !== undefined),
      },
    }),
  };
  const taken = {
    _id: literal(id),
    run,
    last: { $cond: [DELIVERED, '$last', '$$REMOVE'] },
    older: { $cond: [{ $and: [DELIVERED, { $isArray: '$older' }] }, '$older', '$$REMOVE'] },
    expiresAt: { $max: [{ $cond: [LIVE, '$expiresAt', 0] }, later(request.leaseMs + request.keepMs)] },
  };
  const kept = {
    $or: [{ $and: [LIVE, { $gt: ['$run.until', NOW] }] }, { $and: [DELIVERED, answered(request, state)] }],
  };
  return [{ $replaceWith: { $cond: [kept, '$$ROOT', taken] } }, ...EXPIRES];
}

/** Whether what was delivered answers the claim: `absorb` of `decide.ts`. */
function answered({ lane }: ClaimRequest, state: Document): Document | boolean {
  if (!lane) return true;
  const age = { $subtract: [NOW, '$last.at'] };
  const same = { $eq: ['$last.state', state] };
  const copy = lane.repeat
    ? { $and: [same, { $eq: ['$last.repeat', true] }, { $lt: [age, lane.repeat.ms] }] }
    : { $and: [same, { $lt: [age, lane.windowMs] }] };
  if (!lane.late) return copy;
  const olderStates = { $ifNull: ['$older.state', []] };
  const stale = {
    $and: [
      { $ne: ['$last.state', state] },
      { $lt: [age, lane.late.ms] },
      { $ne: [{ $ifNull: ['$last.sender', ''] }, literal(lane.late.sender)] },
      { $in: [state, olderStates] },
    ],
  };
  return { $or: [copy, stale] };
}

function reason({ lane }: ClaimRequest, resumed: Document, state: Document): Document {
  const otherwise = lane?.repeat ? 'repeat' : 'window-over';
  const fresh = { $cond: [{ $ne: ['$last.state', state] }, 'state-changed', otherwise] };
  const again = { $cond: [{ $eq: ['$run.until', 0] }, 'retry', 'takeover'] };
  return { $cond: [resumed, again, { $cond: [DELIVERED, fresh, 'first'] }] };
}

/** Matches the key while `token` owns it. */
export function ownedBy(id: string, token: string): Document {
  return { _id: id, 'run.token': token, 'run.until': { $gt: 0 } };
}

export function renewPipeline(leaseMs: number, keepMs: number): Document[] {
  const expiresAt = { $max: ['$expiresAt', later(leaseMs + keepMs)] };
  return [{ $set: { 'run.until': later(leaseMs), expiresAt } }, ...EXPIRES];
}

export function settlePipeline(value: string, ttlMs: number): Document[] {
  const isLane = isObject('$run.lane');
  const last = {
    state: '$run.state',
    at: '$run.claimedAt',
    settledAt: NOW,
    attempt: '$run.attempt',
    value: literal(value),
    sender: { $ifNull: ['$run.lane.sender', '$$REMOVE'] },
    repeat: { $ifNull: ['$run.lane.repeat', '$$REMOVE'] },
  };
  const before = { $concatArrays: [{ $cond: [isObject('$last'), ['$last'], []] }, { $ifNull: ['$older', []] }] };
  const others = { $filter: { input: before, as: 'each', cond: { $ne: ['$$each.state', '$run.state'] } } };
  return [
    {
      $replaceWith: {
        _id: '$_id',
        last,
        older: { $cond: [isLane, { $slice: [others, MAX_OLDER] }, '$$REMOVE'] },
        expiresAt: { $max: [later(ttlMs), { $cond: [isLane, '$expiresAt', 0] }] },
      },
    },
    ...EXPIRES,
  ];
}

export function releasePipeline(keepMs: number): Document[] {
  const expiresAt = { $max: [later(keepMs), { $cond: [isObject('$last'), '$expiresAt', 0] }] };
  return [{ $set: { 'run.until': 0, expiresAt } }, ...EXPIRES];
}

export function stepPipeline(name: string, value: string): Document[] {
  const others = {
    $filter: { input: '$run.steps', as: 'each', cond: { $ne: [{ $arrayElemAt: ['$$each', 0] }, literal(name)] } },
  };
  return [{ $set: { 'run.steps': { $concatArrays: [others, [[literal(name), literal(value)]]] } } }];
}
