// A count of things on a terminal that the broker learns in two ways: from events, at once, and from a
// counter among the samples, a minute later but right even when events were lost. The counter is the
// authority up to the time of its sample; events after that time count ahead of it. A counter that
// went back (a new outbox, an agent that forgot) goes on from where it was: the total never sinks.

export type Tally = {
  /** What earlier lives of the counter had reached. */
  readonly base: number;
  readonly counter: number;
  readonly counterMs: number;
  /** Events after `counterMs` that the counter has not confirmed yet, and the time of the newest. */
  readonly ahead: number;
  readonly aheadMs: number;
};

/** An agent counts what is on its disk: until then its samples still show the number before. */
const HEARD_MS = 60_000;

export const NO_TALLY: Tally = { base: 0, counter: 0, counterMs: 0, ahead: 0, aheadMs: 0 };

export const totalOf = (tally: Tally): number => tally.base + tally.counter + tally.ahead;

/** One more, told by an event that happened at `timeMs`; an older one is in the counter already. */
export function countEvent(tally: Tally, timeMs: number): Tally {
  if (timeMs <= tally.counterMs) return tally;
  return { ...tally, ahead: tally.ahead + 1, aheadMs: Math.max(tally.aheadMs, timeMs) };
}

/** The counter stood at `counter` at `timeMs`; an older or impossible reading changes nothing. */
export function readCounter(tally: Tally, counter: number, timeMs: number): Tally {
  if (timeMs <= tally.counterMs || !Number.isSafeInteger(counter) || counter < 0) return tally;
  const isNewLife = counter < tally.counter;
  const base = isNewLife ? tally.base + tally.counter : tally.base;
  const missing = Math.max(0, totalOf(tally) - base - counter);
  // Events about as young as the reading may still be confirmed by the next one, unless that counts anew.
  const mayCome = tally.aheadMs > timeMs || (!isNewLife && tally.aheadMs + HEARD_MS > timeMs);
  if (mayCome) return { ...tally, base, counter, counterMs: timeMs, ahead: missing };
  return { base: base + missing, counter, counterMs: timeMs, ahead: 0, aheadMs: 0 };
}
