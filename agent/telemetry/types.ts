// What the outbox offers to the rest of the agent, as types; outbox.ts makes one. Apart so that a fake
// for a test needs no database.

import type { CommandResult } from '../../protocol/commands.ts';
import type { NewEvent } from '../../protocol/events.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import type { Attributes, Span } from '../../protocol/traces.ts';
import type { Ack, Stream } from '../../protocol/wire.ts';
import type { Log } from '../ports.ts';
import type { OutboxClock } from './desk-items.ts';
import type { BrokerTime } from './time.ts';
import type { ResendPolicy } from './window.ts';

/**
 * What it may write: everything; no backlog of metrics beyond a little; or events and results only, while samples
 * are counted and told as a gap.
 */
export type OutboxRoom = 'all' | 'little' | 'urgent';

export type OutboxOptions = {
  readonly path: string;
  readonly bytesMax: number;
  readonly clock: OutboxClock;
  readonly log: Log;
  /** How often live samples are sealed, and how much is live; 60 s when not given. */
  readonly sendMs?: number;
  readonly resend?: ResendPolicy;
  /** 0 to below 1, for the jitter of resends. */
  readonly random?: () => number;
  /** The disk is full: makes room, if it can, and says whether it did. */
  readonly makeRoom?: () => boolean;
};

export type Outgoing = {
  readonly stream: Stream;
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly resend: boolean;
  /** Of what was not sent when it was new: the broker says how fast that may go. */
  readonly backlog: boolean;
};
export type Acknowledged = {
  readonly acknowledged: number;
  readonly refused: number;
  /** For another epoch: nothing was touched. */
  readonly foreign: boolean;
};
export type OutboxStats = {
  readonly durable: boolean;
  readonly bytes: number;
  /** Sealed and not acknowledged, by stream. */
  readonly batches: Readonly<Record<'events' | 'metrics' | 'results' | 'traces', number>>;
  readonly waiting: Readonly<Record<'samples' | 'events' | 'results' | 'spans', number>>;
  readonly drops: readonly { stream: Stream; reason: string; count: number }[];
  readonly refused: Readonly<Partial<Record<Stream, number>>>;
  readonly deadLetters: number;
  /** Of acknowledged events and results, kept in case the ledger goes back. */
  readonly keptBytes: number;
  /** Samples given up so that the rest fits. */
  readonly thinned: number;
  readonly damaged: number;
  /** In memory because the disk does not take it. */
  readonly held: number;
  readonly acknowledged: number;
  readonly foreignAcks: number;
  readonly resent: number;
};

export type Outbox = {
  readonly epoch: Uint8Array;
  /** Openings of this file, this one included: the agent's starts since the outbox was made. */
  readonly starts: number;
  readonly time: BrokerTime;
  readonly addEvent: (event: NewEvent) => void;
  readonly addResult: (result: CommandResult) => void;
  readonly addSnapshot: (snapshot: Snapshot) => void;
  /** Spans that ended, with times as `time.nowMs` says them. `resource`: whose they are; the agent's when not given. */
  readonly addSpans: (spans: readonly Span[], resource?: Attributes) => void;
  /** What is to be sent now, in drain order, so many of them backlog at most; counts as sent. */
  readonly takeBatches: (limit: number, backlogMax?: number) => readonly Outgoing[];
  /** @param answerMsMax where it names no batch: its time was stamped at most so long ago. */
  readonly acknowledge: (ack: Ack, answerMsMax?: number) => Acknowledged;
  /** A new session: nothing sent in the old one will be answered. */
  readonly resendAll: () => void;
  /** Sent in this session and not acknowledged. */
  readonly inFlight: () => number;
  /** Events and results not acknowledged. */
  readonly urgent: () => number;
  /** How often live samples are sealed, as configured. */
  readonly setSendMs: (ms: number) => void;
  /** The same for as long as the broker wishes, within bounds; 0: as configured again. */
  readonly setWishedSendMs: (ms: number) => void;
  /** Called again and again as long as the disk is short: each call gives up a part. */
  readonly setRoom: (room: OutboxRoom) => void;
  /** Called when something was added that should go at once. */
  readonly onWork: (call: () => void) => void;
  readonly stats: () => OutboxStats;
  readonly close: () => void;
};
