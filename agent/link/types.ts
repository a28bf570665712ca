// What the link offers to the rest of the agent, as types; link.ts makes one.

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
  readonly brokerNowMs: () => number;
  /** undefined until the first acknowledgement. */
  readonly clockOffsetMs: () => number | undefined;
  readonly stats: () => LinkStats;
};
