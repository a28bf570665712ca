// What the link needs and what it offers to the rest of the agent, as types; link.ts makes one.

import type { Result } from '../../protocol/result.ts';
import type { Credentials } from '../identity/types.ts';
import type { Chunks } from '../logs/pull/turns.ts';
import type { Clock, Log, Timers } from '../ports.ts';
import type { Outbox } from '../telemetry/types.ts';
import type { BackoffPolicy } from './backoff.ts';
import type { HttpProxy } from './proxy.ts';
import type { openSession } from './session.ts';

export type Address = { readonly host: string; readonly port: number };

/** How the broker is reached at this moment. */
export type Way = {
  /** Tried in turn. */
  readonly addresses: readonly [Address, ...Address[]];
  readonly proxy?: HttpProxy | undefined;
  /** Without them in plain text. */
  readonly credentials?: Credentials | undefined;
  /** What is said of this agent (protocol/hello.ts). */
  readonly username?: string | undefined;
};

export type LinkOptions = {
  readonly terminal: string;
  /** One address in plain text, or whatever holds at each try: a sentence while there is no way. */
  readonly broker: Address | (() => Result<Way>);
  readonly outbox: Outbox;
  /** Log chunks, sent when the outbox has nothing. */
  readonly chunks?: Chunks;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** A signed command as it came; unchecked. */
  readonly onCommand: (data: Uint8Array) => void;
  readonly backoff?: Partial<BackoffPolicy>;
  readonly random?: () => number;
  readonly watch?: LinkWatch;
  readonly connectTimeoutMs?: number;
  /** Connected, batches sent, nothing acknowledged for so long: the connection is given up. */
  readonly silenceMsMax?: number;
  /** It is later than this for certain, whatever the clock says; for the end of a broker's certificate. */
  readonly floorMs?: () => number;
  /** Another way to speak MQTT; session.ts when not given. */
  readonly openSession?: typeof openSession;
};

export type LinkStats = {
  readonly connected: boolean;
  /** Sessions that got as far as being subscribed. */
  readonly connects: number;
  readonly failures: number;
  readonly lastReason: string;
  readonly sentBatches: number;
  readonly sentBytes: number;
  readonly acks: number;
  readonly garbageAcks: number;
  readonly commands: number;
  /** Given up because nothing was acknowledged. */
  readonly silences: number;
  readonly paceBytesPerSecond: number;
};

/** Whoever wants to know what becomes of each connection; called at once and in order. */
export type LinkWatch = {
  /** Subscribed; the broker has done nothing yet. */
  readonly up: () => void;
  /** An acknowledgement that could be read. */
  readonly acknowledged: () => void;
  readonly down: (reason: string) => void;
};

export const NO_STATS = {
  connects: 0,
  failures: 0,
  lastReason: '',
  sentBatches: 0,
  sentBytes: 0,
  acks: 0,
  garbageAcks: 0,
  commands: 0,
  silences: 0,
  paceBytesPerSecond: 0,
};

export type Link = {
  /** Sends what is urgent if the broker still takes it, and ends within two seconds. */
  readonly stop: () => Promise<void>;
  readonly connected: () => boolean;
  /** Another certificate or other addresses: used as soon as nothing waits for an acknowledgement. */
  readonly refresh: () => void;
  readonly brokerNowMs: () => number;
  /** undefined until the first acknowledgement. */
  readonly clockOffsetMs: () => number | undefined;
  readonly stats: () => LinkStats;
};
