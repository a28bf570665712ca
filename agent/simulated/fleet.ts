// The simulated fleet: every terminal, and the faults that come to them. Faults are drawn by the pure
// sources of faults.ts; here they only meet the clock. What comes to a version reaches its terminals over
// a minute, as a release or a record spreads; what comes to a store is there at once.

import type { KeyObject } from 'node:crypto';
import { BACKOFF, type BackoffPolicy } from '../link/backoff.ts';
import type { Cancel, Clock, Log, Timers } from '../ports.ts';
import { charactersOf } from './character.ts';
import { diceFrom, seedFor } from './dice.ts';
import { type Fault, nextFault, type Scope, type Source, sourcesOf, strikes } from './faults.ts';
import type { Identities } from './identities.ts';
import type { Delivered } from './outbox.ts';
import { Terminal } from './terminal.ts';
import type { SimulatedTerminal } from './terminals.ts';

export type FleetOptions = {
  readonly terminals: readonly SimulatedTerminal[];
  readonly seed: number;
  readonly rate: number;
  readonly broker: { readonly host: string; readonly port: number };
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** Without them in plain text. */
  readonly identities?: Identities | undefined;
  readonly everyMs: number;
  readonly sendMs: number;
  readonly reconnectMsMax: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

export type FleetCounts = {
  readonly terminals: number;
  readonly connected: number;
  /** Have a certificate; all of them in plain text. */
  readonly enrolled: number;
  /** Without line or power. */
  readonly away: number;
  readonly connects: number;
  readonly sentBatches: number;
  readonly sentBytes: number;
  readonly resent: number;
  readonly acks: number;
  readonly refused: number;
  readonly delivered: Delivered;
  /** Dropped samples, events and results for room in an outbox. */
  readonly dropped: number;
  /** Outboxes that a power cut tore: what was in them is gone, as their gap records say. */
  readonly torn: number;
  readonly faults: Readonly<Record<Scope, number>>;
  /** Terminals that have something the broker has not acknowledged. */
  readonly waiting: number;
  /** Why those that are not connected are not: the last reason of one of them. */
  readonly lastReason: string;
};

export type Fleet = {
  readonly counts: () => FleetCounts;
  /** No more faults and samples; resolves when everything is acknowledged, or after `msMax`. */
  readonly settle: (msMax: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** First connections are spread: so many terminals a second at most (research/mqtt.md 1.3). */
const CONNECTS_PER_SECOND = 200;
const FIRST_MS_MIN = 1_000;
const RECONNECT_MS_MIN = 1_000;
const VERSION_SPREAD_MS = 60_000;
const SETTLE_POLL_MS = 50;
const TIMER_MS_MAX = 24 * 3_600_000;

function sumOf(
  terminals: readonly Terminal[],
  faults: Record<Scope, number>,
): Omit<FleetCounts, 'enrolled'> {
  const sum = {
    connects: 0,
    sentBatches: 0,
    sentBytes: 0,
    resent: 0,
    acks: 0,
    refused: 0,
    torn: 0,
  };
  const delivered = { batches: 0, samples: 0, events: 0, results: 0 };
  const now = { connected: 0, away: 0, waiting: 0, dropped: 0, lastReason: '' };
  for (const { link, outbox, isAway } of terminals.map((one) => ({
    link: one.link.stats(),
    outbox: one.outbox,
    isAway: one.isAway(),
  }))) {
    now.connected += link.connected ? 1 : 0;
    now.away += isAway ? 1 : 0;
    now.waiting += outbox.isEmpty() ? 0 : 1;
    if (!link.connected && link.lastReason !== '') now.lastReason = link.lastReason;
    sum.connects += link.connects;
    sum.sentBatches += link.sentBatches;
    sum.sentBytes += link.sentBytes;
    sum.acks += link.acks;
    const stats = outbox.stats();
    sum.resent += stats.resent;
    sum.torn += stats.damaged;
    for (const count of Object.values(stats.refused)) sum.refused += count ?? 0;
    for (const { count } of stats.drops) now.dropped += count;
    const done = outbox.delivered();
    delivered.batches += done.batches;
    delivered.samples += done.samples;
    delivered.events += done.events;
    delivered.results += done.results;
  }
  return { terminals: terminals.length, ...sum, ...now, delivered, faults: { ...faults } };
}

export function startFleet(options: FleetOptions): Fleet {
  const { seed, rate, timers, clock, reconnectMsMax, identities, broker, keys, ...rest } = options;
  const characters = charactersOf(seed, options.terminals);
  const firstMsMax = Math.max(FIRST_MS_MIN, (characters.length / CONNECTS_PER_SECOND) * 1_000);
  const backoff: BackoffPolicy = {
    ...BACKOFF,
    firstMsMax,
    reconnectMsMin: RECONNECT_MS_MIN,
    reconnectMsMax,
  };
  const faults: Record<Scope, number> = { terminal: 0, store: 0, version: 0 };
  const startedMs = clock.monotonicMs();
  const terminals = characters.map(
    (who) =>
      new Terminal({
        ...{ ...rest, who, backoff, timers, clock },
        broker: identities === undefined ? broker : () => identities.way(who.id),
        keys: identities === undefined ? () => keys : () => identities.keys(who.id),
      }),
  );
  const byId = new Map(terminals.map((one) => [one.id, one]));
  identities?.begin((id) => byId.get(id)?.link.refresh());
  const cancels = new Map<string, Cancel>();
  let settled = false;

  function strike(fault: Fault): void {
    faults[fault.scope] += 1;
    for (const [at, who] of characters.entries()) {
      if (!strikes(fault, who)) continue;
      const terminal = terminals[at];
      if (fault.scope !== 'version') terminal?.afflict(fault);
      else {
        const part = diceFrom(seedFor(who.seed, fault.kind.id)).next();
        timers.after(part * VERSION_SPREAD_MS, () => terminal?.afflict(fault));
      }
    }
  }

  function wait(source: Source): void {
    const name = `${source.scope} ${source.target}`;
    const waitMs = startedMs + source.atMs - clock.monotonicMs();
    if (settled || waitMs === Infinity) return;
    const cancel = timers.after(Math.min(TIMER_MS_MAX, waitMs), () => {
      if (startedMs + source.atMs > clock.monotonicMs() + 1) return wait(source);
      const next = nextFault(source);
      strike(next.fault);
      wait(next.source);
    });
    cancels.set(name, cancel);
  }
  if (rate > 0) for (const source of sourcesOf(characters, seed, rate)) wait(source);

  function settle(msMax: number): Promise<void> {
    settled = true;
    for (const cancel of cancels.values()) cancel();
    for (const terminal of terminals) terminal.settle();
    const untilMs = clock.monotonicMs() + msMax;
    return new Promise((resolve) => {
      const look = (): void => {
        const done = terminals.every(({ outbox }) => outbox.isEmpty());
        if (done || clock.monotonicMs() >= untilMs) resolve();
        else timers.after(SETTLE_POLL_MS, look);
      };
      look();
    });
  }

  return {
    counts: () => {
      const sum = sumOf(terminals, faults);
      if (identities === undefined) return { ...sum, enrolled: terminals.length };
      const { enrolled, lastReason } = identities;
      const isShort = enrolled < terminals.length && lastReason !== '';
      return { ...sum, enrolled, ...(isShort ? { lastReason } : {}) };
    },
    settle,
    stop: async () => {
      await Promise.all(terminals.map((terminal) => terminal.stop()));
    },
  };
}
