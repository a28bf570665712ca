// What one terminal may do in a time, however good its certificate is: connect so often, publish so many batches and
// bytes. A till in a crash loop reconnects for ever and a broken agent publishes without end; neither may cost its
// neighbours anything. Who connects too often is refused for a pause that doubles while it goes on; who publishes
// too much is not refused but read more slowly, because what it sends is the chain's data and lost nowhere. Small packets
// without end (PINGREQ, SUBSCRIBE) are no data: whoever sends them is broken or hostile, and its connection ends.

import type { RateLimit } from './rate.ts';

export type TerminalLimits = {
  readonly connectsPerMinute: number;
  readonly publishesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Everything but publishes and answers to what it was told; a long one counts as several. */
  readonly smallPerSecond: number;
};

/** Terminals remembered; the one longest unheard is forgotten, which can only favour it. */
export const TERMINALS_MAX = 20_000;
const MINUTE_MS = 60_000;
/** The first pause and the longest; a terminal that behaved for QUIET_MS begins again with the first. */
export const PAUSE_MS_MIN = 1_000;
export const PAUSE_MS_MAX = 60_000;
const QUIET_MS = 10 * MINUTE_MS;
/** A SUBSCRIBE has many topics, and each is work: so many bytes are as much as one packet. */
const SMALL_BYTES = 128;
/** A backlog comes as fast as the line gives it at first: so many seconds' worth at once. */
export const BURST_SECONDS = 10;

type Bucket = { tokens: number; atMs: number };

/** Fills what time gave back. Tokens may be owed: what arrived is taken, and the next waits for it. */
function refill(bucket: Bucket, { burst, perSecond }: RateLimit, nowMs: number): void {
  const given = (Math.max(0, nowMs - bucket.atMs) / 1_000) * perSecond;
  bucket.tokens = Math.min(burst, bucket.tokens + given);
  bucket.atMs = nowMs;
}

const owedMs = ({ tokens }: Bucket, { perSecond }: RateLimit): number =>
  tokens >= 0 ? 0 : (-tokens / perSecond) * 1_000;

export type Slow = { readonly limit: 'publishes' | 'bytes'; readonly waitMs: number };

/** Of one terminal, over all its connections: reconnecting fills nothing. */
export type Flow = {
  /** A publish of so many bytes was taken. @returns how long nothing more is to be read, if at all. */
  readonly take: (bytes: number, nowMs: number) => Slow | undefined;
  /** Any other packet came. @returns whether that is still what a healthy terminal does */
  readonly small: (bytes: number, nowMs: number) => boolean;
};

type Known = {
  readonly connects: Bucket;
  readonly flow: Flow;
  pauseMs: number;
  pausedUntilMs: number;
};

export type TerminalRates = {
  /** It wants to connect. @returns how long it is refused from now on, in ms; 0: it may. */
  readonly connect: (terminal: string, nowMs: number) => number;
  readonly flowOf: (terminal: string, nowMs: number) => Flow;
};

function createFlow(limits: TerminalLimits, nowMs: number): Flow {
  const of = (perSecond: number): RateLimit => ({ perSecond, burst: perSecond * BURST_SECONDS });
  const [ofPublishes, ofBytes] = [of(limits.publishesPerSecond), of(limits.bytesPerSecond)];
  const ofSmall = of(limits.smallPerSecond);
  const publishes: Bucket = { tokens: ofPublishes.burst, atMs: nowMs };
  const octets: Bucket = { tokens: ofBytes.burst, atMs: nowMs };
  const smalls: Bucket = { tokens: ofSmall.burst, atMs: nowMs };
  return {
    take: (bytes, now) => {
      publishes.tokens -= 1;
      octets.tokens -= bytes;
      // Most of the time both have plenty, and the clock need not be asked what it gave back.
      if (publishes.tokens >= 0 && octets.tokens >= 0) return undefined;
      refill(publishes, ofPublishes, now);
      refill(octets, ofBytes, now);
      const [forPublishes, forBytes] = [owedMs(publishes, ofPublishes), owedMs(octets, ofBytes)];
      if (forPublishes <= 0 && forBytes <= 0) return undefined;
      return forBytes > forPublishes
        ? { limit: 'bytes', waitMs: forBytes }
        : { limit: 'publishes', waitMs: forPublishes };
    },
    small: (bytes, now) => {
      refill(smalls, ofSmall, now);
      const wanted = 1 + Math.floor(bytes / SMALL_BYTES);
      if (smalls.tokens < wanted) return false;
      smalls.tokens -= wanted;
      return true;
    },
  };
}

export function createTerminalRates(
  limits: TerminalLimits,
  terminalsMax = TERMINALS_MAX,
): TerminalRates {
  const known = new Map<string, Known>();
  const ofConnects: RateLimit = {
    burst: limits.connectsPerMinute,
    perSecond: limits.connectsPerMinute / 60,
  };

  function recall(terminal: string, nowMs: number): Known {
    const one = known.get(terminal) ?? {
      connects: { tokens: ofConnects.burst, atMs: nowMs },
      flow: createFlow(limits, nowMs),
      pauseMs: 0,
      pausedUntilMs: 0,
    };
    known.delete(terminal);
    known.set(terminal, one);
    const oldest = known.size > terminalsMax ? known.keys().next() : undefined;
    if (oldest?.done === false) known.delete(oldest.value);
    return one;
  }

  return {
    connect: (terminal, nowMs) => {
      const one = recall(terminal, nowMs);
      if (nowMs < one.pausedUntilMs) return one.pausedUntilMs - nowMs;
      refill(one.connects, ofConnects, nowMs);
      if (one.connects.tokens >= 1) {
        one.connects.tokens -= 1;
        return 0;
      }
      const isQuiet = nowMs - one.pausedUntilMs > QUIET_MS;
      const doubled = isQuiet ? PAUSE_MS_MIN : one.pauseMs * 2;
      one.pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, doubled));
      one.pausedUntilMs = nowMs + one.pauseMs;
      return one.pauseMs;
    },
    flowOf: (terminal, nowMs) => recall(terminal, nowMs).flow,
  };
}
