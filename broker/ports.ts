// What the broker's front (mqtt, ingest) needs of the rooms behind it, as types of its own, so that
// each side is written and tested with small fakes and broker.ts alone knows both.

import type { Batch, Stream } from '../protocol/wire.ts';

/** The broker's own log (winston behind it). */
export type Log = {
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
  readonly error: (message: string, fields?: Record<string, unknown>) => void;
};

/**
 * `duplicate` was acknowledged again; `refused`, `malformed`, `crowded` (a limit of what the ledger
 * remembers of one terminal) and `conflict` (its number was committed with other bytes) were answered;
 * `failed` was not.
 */
export type BatchResult =
  | 'new'
  | 'duplicate'
  | 'refused'
  | 'malformed'
  | 'crowded'
  | 'conflict'
  | 'failed';
/** `taken_over`: accepted, and an older connection of the same terminal was closed for it. */
export type ConnectResult = 'accepted' | 'taken_over' | 'refused';

/** What the front counts; names stand in protocol/metrics.ts. */
export type FrontMetrics = {
  /** tillwatch_broker_connects_total */
  readonly connects: (result: ConnectResult) => void;
  /** tillwatch_broker_refused_total */
  readonly refused: (reason: RefusedReason) => void;
  /** tillwatch_broker_slowed_total */
  readonly slowed: (limit: 'publishes' | 'bytes') => void;
  /** tillwatch_ingest_batches_total */
  readonly batches: (stream: Stream, result: BatchResult, count?: number) => void;
  /** tillwatch_ledger_commit_seconds */
  readonly commitSeconds: (seconds: number) => void;
};

/** A chunk of log lines as it came; what its envelope says is checked, its body is not. */
export type NewChunk = { readonly terminal: string; readonly batch: Batch };
export type ChunkVerdict =
  /** On disk up to this number (protocol/logs.ts). */
  | {
      readonly kind: 'held';
      readonly upTo: number;
      readonly isNew: boolean;
      /** Nothing more comes. */
      readonly ended?: boolean;
    }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not stored, not refused: it is not answered and comes again. */
  | { readonly kind: 'failed' };
/** Whoever keeps received logs: a verdict for each, on disk when it returns. */
export type LogIntake = { readonly take: (chunks: readonly NewChunk[]) => readonly ChunkVerdict[] };

/** Why a connection or a packet was refused: a closed list, because it is a label. */
export type RefusedReason =
  | 'too_many_connections'
  | 'connect_rate'
  | 'connect_timeout'
  | 'no_connect'
  | 'malformed'
  | 'packet_too_large'
  | 'protocol_version'
  | 'client_id'
  | 'unknown_terminal'
  /** No certificate of this fleet, or one that is over. */
  | 'certificate'
  | 'handshake'
  /** In front of it: too many at once, or one that takes too long. */
  | 'too_many_handshakes'
  | 'handshake_timeout'
  | 'suspended'
  | 'revoked'
  /** One terminal connects or publishes more often than a healthy one. */
  | 'terminal_rate'
  | 'session_not_clean'
  | 'keepalive'
  | 'will'
  | 'topic'
  | 'quality_of_service'
  | 'retained'
  | 'subscription'
  | 'slow_reader'
  | 'internal';

/** For the audit log, which bounds what strangers can write into it. */
export type Refusal = {
  readonly reason: RefusedReason;
  readonly sentence: string;
  readonly address: string;
  /** Whose certificate or session it was; undefined: nobody's that is known. */
  readonly terminal?: string | undefined;
};
export type OnRefused = (refusal: Refusal) => void;

/** What the fleet registry is told of sessions, and asked about terminals. */
export type FleetSessions = {
  readonly isKnown: (terminal: string) => boolean;
  readonly sessionOpened: (terminal: string, info: SessionInfo) => void;
  readonly sessionClosed: (terminal: string, why: SessionEnd) => void;
};
export type SessionInfo = { readonly address: string; readonly openedMs: number };
/** `gone`: by a DISCONNECT packet or its own word; `lost`: it broke or fell silent; `cut`: it was revoked, or the like. */
export type SessionEnd = 'gone' | 'lost' | 'taken_over' | 'refused' | 'cut' | 'stopping';
