// What the broker itself knows of each terminal, as series in the ledger's own lane, from where the sinks take it
// like anything a terminal said. Every known terminal has them, also one that never reported: a series that is
// missing looks like health on a dashboard, a 0 does not. A round over all terminals takes a minute and goes in
// portions, so that ten thousand terminals never hold up acknowledgements; whoever's presence changed goes
// within a second, but no more than PORTIONS_MAX at a time, the longest waiting first. A store that opened, closed or is
// in maintenance since goes within some seconds: an alert that waits for a minute for that has rung by then.

import { SERIES_PER_BODY_MAX } from '../../protocol/limits.ts';
import { encodeMetricBody, type Sample } from '../../protocol/metric-body.ts';
import type { MetricNameOf } from '../../protocol/metrics.ts';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../ledger.ts';
import type { TerminalModel } from './model.ts';
import { PRESENCES, type Presence } from './presence.ts';

export const ROUND_MS = 60_000;
/** Whether stores are as they were told is looked at so often, and rarer where that takes long. */
export const STORES_LOOK_MS = 5_000;
/** At most so much of the time goes into looking. */
const STORES_LOOK_SHARE = 0.01;
/** Part of a minute in which a round is through. */
const ROUND_SHARE = 0.9;
/** At most seven of the registry's own, and three of other rooms (describe.ts): maintenance, versions, configuration. */
const SERIES_EACH = 10;
/** A body of these stays below SERIES_PER_BODY_MAX; should they have more, they get another body. */
export const PORTION_TERMINALS = Math.floor(SERIES_PER_BODY_MAX / SERIES_EACH);
/** Of changes, in one tick: some ten milliseconds. */
export const PORTIONS_MAX = 2;

type Name = MetricNameOf<'registry', 'gauge'>;

/**
 * @param shown what was recorded of its presence before: those become 0, or a dashboard would show two states at
 * once until the older one is forgotten.
 */
export function samplesOf(model: TerminalModel, shown: readonly Presence[]): Sample[] {
  const { id: terminal, store, presence, lastSeenMs, clock } = model;
  const own = { store, terminal };
  const sample = (name: Name, value: number, more = {}): Sample => ({
    ...{ name, labels: { ...own, ...more }, value },
  });
  const before = shown.filter((one) => one !== presence);
  return [
    sample('pos_terminal_up', presence === 'online' ? 1 : 0),
    ...before.map((one) => sample('pos_terminal_presence', 0, { presence: one })),
    sample('pos_terminal_presence', 1, { presence }),
    ...(lastSeenMs === undefined
      ? []
      : [sample('pos_terminal_last_seen_timestamp_seconds', lastSeenMs / 1000)]),
    ...(clock === undefined
      ? []
      : [sample('pos_terminal_clock_skew_seconds', clock.skewMs / 1000)]),
  ];
}

/** One terminal, for whoever asks now. */
export type Observed = Pick<TerminalModel, 'id' | 'store' | 'presence'> & {
  readonly samples: readonly Sample[];
};
export const observedOf = (model: TerminalModel, more: readonly Sample[] = []): Observed => {
  const { id, store, presence } = model;
  return { id, store, presence, samples: [...samplesOf(model, PRESENCES), ...more] };
};

export type ObservationOptions = {
  readonly ledger: Pick<Ledger, 'appendOwn'>;
  readonly clock: Clock;
  /** Of those that are shown. */
  readonly get: (id: string) => TerminalModel | undefined;
  /** Every known terminal, in an order that stays. */
  readonly ids: () => readonly string[];
  /** What other rooms say of one. */
  readonly moreOf?: (model: TerminalModel) => readonly Sample[];
  readonly samplesOfStores?: (nowMs: number) => readonly Sample[];
};

/** Series of stores: all of them in a round, between rounds those that have changed. */
function createStoresTold(samplesOf: (nowMs: number) => readonly Sample[], clock: Clock) {
  let waiting: readonly Sample[] = [];
  let told = new Map<string, number>();
  let nextMs = Number.NEGATIVE_INFINITY;
  const keyOf = ({ name, labels }: Sample): string =>
    [name, ...Object.entries(labels).flat()].join('\0');

  /** They are made at once, because they are told of one moment. */
  function look(isAll: boolean): void {
    const begunMs = clock.monotonicMs();
    const samples = samplesOf(clock.wallMs());
    const now = new Map(samples.map((sample) => [keyOf(sample), sample.value]));
    waiting = isAll ? samples : samples.filter((one) => told.get(keyOf(one)) !== one.value);
    told = now;
    const endedMs = clock.monotonicMs();
    nextMs = endedMs + Math.max(STORES_LOOK_MS, (endedMs - begunMs) / STORES_LOOK_SHARE);
  }
  return {
    all: (): void => look(true),
    /** @param append takes one portion a tick. @returns whether it is in the ledger. */
    tick: (append: (samples: readonly Sample[]) => boolean): void => {
      // What was changed before is told first: a look takes its place.
      if (waiting.length === 0 && clock.monotonicMs() >= nextMs) look(false);
      if (waiting.length === 0) return;
      // What the ledger does not take now goes with the next tick, or is told anew with the next round.
      if (append(waiting.slice(0, SERIES_PER_BODY_MAX))) {
        waiting = waiting.slice(SERIES_PER_BODY_MAX);
      }
    },
  };
}

/** Looks at terminals in rounds and at once. Nothing happens but in `tick`. */
export function createObservations(options: ObservationOptions) {
  const { ledger, clock, get, ids, moreOf = () => [], samplesOfStores = () => [] } = options;
  const changed = new Set<string>();
  const recorded = new Map<string, Presence>();
  let round: readonly string[] = [];
  let reached = 0;
  let begunMs = Number.NEGATIVE_INFINITY;
  const stores = createStoresTold(samplesOfStores, clock);

  /** @returns whether all of them are in the ledger. */
  function append(samples: readonly Sample[]): boolean {
    const timeMs = clock.wallMs();
    for (let from = 0; from < samples.length; from += SERIES_PER_BODY_MAX) {
      const part = samples.slice(from, from + SERIES_PER_BODY_MAX);
      if (!ledger.appendOwn('metrics', encodeMetricBody([{ timeMs, samples: part }])).ok) {
        return false;
      }
    }
    return true;
  }

  /** @returns whether they are in the ledger. */
  function record(portion: readonly string[]): boolean {
    const models = portion.map(get).filter((model) => model !== undefined);
    if (models.length === 0) return true;
    const samples = models.flatMap((model) => {
      const before = recorded.get(model.id);
      // The run before may have recorded any: all of them once.
      return [...samplesOf(model, before === undefined ? PRESENCES : [before]), ...moreOf(model)];
    });
    if (!append(samples)) return false;
    for (const { id, presence } of models) recorded.set(id, presence);
    return true;
  }

  function recordChanges(): void {
    for (let portions = 0; portions < PORTIONS_MAX && changed.size > 0; portions += 1) {
      const portion = [...changed].slice(0, PORTION_TERMINALS);
      // What the ledger does not take now is told with the next round, with its time then.
      if (!record(portion)) return;
      for (const id of portion) changed.delete(id);
    }
  }

  /** As far as the round should be by now. */
  function goOn(now: number): void {
    // The first at once, each next one when its time has come, the last well before the minute ends.
    const due = (round.length * (now - begunMs)) / (ROUND_MS * ROUND_SHARE);
    if (reached >= round.length || reached > due) return;
    const portion = round.slice(reached, reached + PORTION_TERMINALS);
    reached += portion.length;
    record(portion);
  }

  return {
    /** Its presence changed, or what other rooms say of it. */
    changed: (id: string): void => {
      changed.add(id);
    },
    /** Once a second. */
    tick: (): void => {
      const now = clock.monotonicMs();
      if (now - begunMs >= ROUND_MS && reached >= round.length) {
        round = ids();
        reached = 0;
        begunMs = now;
        stores.all();
      }
      recordChanges();
      stores.tick(append);
      goOn(now);
    },
  };
}
