import type { KbStartKind } from './errors.js';
import type { WriteOutcome } from './store.js';

interface MongoLike {
  name?: string;
  message?: string;
  code?: number | string;
  cause?: unknown;
  reason?: { type?: string; servers?: Map<string, { type?: string; error?: unknown }> };
}

/** Not authorised, wrong credentials, refused by a validator; too large in the five ways servers say it. */
const NOT_WRITTEN_CODES: ReadonlySet<unknown> = new Set([13, 18, 121, 2, 10334, 16493, 17419, 'ERR_OUT_OF_RANGE']);
const NOT_WRITTEN_NAMES: ReadonlySet<unknown> = new Set(['BSONError', 'BSONVersionError', 'MongoInvalidArgumentError']);
/** Somebody else's document has the id. */
export const DUPLICATE = 11000;

/** What an error says about a write that was handed to the driver. Only what is certain is called certain. */
export function outcomeOf(error: unknown): WriteOutcome {
  const { code, name } = error as MongoLike;
  if (code === DUPLICATE) return { status: 'conflict' };
  if (NOT_WRITTEN_CODES.has(code) || NOT_WRITTEN_NAMES.has(name)) return { status: 'failed', cause: error };
  return { status: 'unknown', cause: error };
}

/** Why a server could not be used. Told from the driver's errors as measured in every one of these cases. */
export function startKindOf(error: unknown): KbStartKind {
  const { name, code, message = '', reason } = error as MongoLike;
  if (code === 18 || code === 8000 || /authentication failed/i.test(message)) return 'auth';
  if (code === 13) return 'forbidden';
  if (code === 13436 || code === 10107) return 'no-primary';
  if (name === 'MongoParseError' || name === 'MongoInvalidArgumentError' || code === 'ERR_INVALID_URL')
    return 'bad-uri';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA' || code === 'ESERVFAIL') return 'dns';
  if (name === 'MongoAPIError' || name === 'MongoMissingCredentialsError') return 'bad-uri';
  if (name !== 'MongoServerSelectionError') return name === 'MongoNetworkError' ? networkKind(error) : 'store';
  const servers = [...(reason?.servers?.values() ?? [])];
  const failures = servers.map((server) => server.error).filter((failure) => failure !== undefined && failure !== null);
  if (failures.length > 0) return networkKind(failures[0]);
  if (reason?.type === 'ReplicaSetNoPrimary') return servers.length === 0 ? 'wrong-replica-set' : 'no-primary';
  return 'silent';
}

function networkKind(error: unknown): KbStartKind {
  let text = '';
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    text += ` ${at.name} ${at.message} ${String((at as { code?: unknown }).code)}`;
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'dns';
  if (/ssl|tls|certificate|SELF_SIGNED|EPROTO/i.test(text)) return 'tls';
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ECONNRESET|EADDRNOTAVAIL/.test(text)) return 'unreachable';
  return /timed out|MongoNetworkTimeoutError|closed|Invalid message/.test(text) ? 'silent' : 'unreachable';
}

/** What to do about each kind. */
export const ADVICE: Readonly<Partial<Record<KbStartKind, string>>> = {
  unreachable: 'nothing listens there: start the server, or correct host and port',
  dns: "the host name can't be resolved: correct it, or the resolver",
  tls: 'the TLS handshake failed: correct tls= and the certificates',
  silent: 'something listens there and does not answer as MongoDB: check the port, and what stands between',
  auth: 'the credentials were refused: correct user, password and authSource',
  forbidden: 'the user lacks a privilege: grant readWrite on the database',
  'bad-uri': 'the connection string or an option in it is malformed',
  'no-primary': 'the replica set has no primary: initiate it, or wait for its election',
  'wrong-replica-set': 'the server belongs to another replica set: correct replicaSet=',
};

/** The codes that mean: the stream's past is gone or is not this collection's. Everything must be compared. */
const HISTORY_CODES: ReadonlySet<unknown> = new Set([286, 136, 260, 280, 9, 15, 40647]);

export function isHistoryLost(error: unknown): boolean {
  return HISTORY_CODES.has((error as MongoLike | null)?.code);
}

/** A server without change streams: standalone, or not quite MongoDB. */
export function lacksChangeStreams(error: unknown): boolean {
  const code = (error as MongoLike | null)?.code;
  return code === 40573 || code === 40324;
}
