// The place of one component in the simulated till: the model that its agent has of it, the process that truly is
// there, and what of it is on disk for the next agent.

import {
  initialModel,
  type Model,
  type Restart,
  type RungUse,
} from '../../agent/watchdog/machine.ts';
import type { ComponentEvent, Policy } from '../../agent/watchdog/model.ts';
import type { ComponentState } from '../../protocol/events.ts';
import type { Copy } from './copy.ts';
import type { Seen, TillView } from './seen.ts';

/** Each on a clock that the next agent has as well: since boot, and added up over boots. */
type Kept = {
  isUp: boolean;
  restarts: readonly Restart[];
  uses: readonly RungUse[];
};

export type Seat = {
  readonly name: string;
  readonly policy: Policy;
  model: Model;
  copy: Copy | undefined;
  lives: number;
  /** When its client is back and says again what lasts. */
  backAt: number | undefined;
  readonly kept: Kept;
  readonly seen: Seen;
};

export function newSeat(policy: Policy, till: TillView, seed: number): Seat {
  const model = initialModel(policy, { seed });
  const seen: Seen = {
    till,
    event: { kind: 'tick' },
    now: 0,
    before: model,
    after: model,
    effects: [],
    copies: 0,
    tenderUntil: 0,
  };
  const kept: Kept = { isUp: false, restarts: [], uses: [] };
  const name = policy.component;
  return { name, policy, model, copy: undefined, lives: 0, backAt: undefined, kept, seen };
}

const moved = <T extends { readonly at: number }>(all: readonly T[], ms: number): readonly T[] =>
  all.map((each) => ({ ...each, at: each.at + ms }));

/** The effect `persist`: of this boot only. */
export function persist({ kept, model }: Seat, { uptimeMs }: TillView, now: number): void {
  kept.isUp = model.state === 'ready' || model.state === 'suspect';
  kept.restarts = moved(model.restarts, uptimeMs - now);
}

/** The effect `remember`: over boots. */
export function remember({ kept, model }: Seat, { totalMs }: TillView, now: number): void {
  kept.uses = moved(model.uses, totalMs - now);
}

/** What a new agent knows of it before it has looked. */
export function forget(seat: Seat, till: TillView, now: number, booted: boolean, seed: number) {
  const { kept, policy } = seat;
  if (booted) {
    seat.copy = undefined;
    kept.restarts = [];
    kept.isUp = false;
  }
  const restarts = moved(kept.restarts, now - till.uptimeMs);
  const uses = moved(kept.uses, now - till.totalMs);
  seat.model = initialModel(policy, { seed, restarts, uses });
}

/** What the new agent finds of what the one before, with its model `before`, has left running. */
export function takenOver(seat: Seat, before: Model, backAt: number): readonly ComponentEvent[] {
  const { copy, kept, lives } = seat;
  const instance = `life-${lives}`;
  if (copy !== undefined) {
    copy.phase = 'alive';
    copy.tenders.clear();
    seat.backAt = backAt;
    return [{ kind: 'adopted', instance, pid: 1, wasReady: kept.isUp }];
  }
  if (before.process !== 'alive') return [];
  // It died unwatched: a failure like any other.
  return [
    { kind: 'adopted', instance, pid: 0, wasReady: true },
    { kind: 'exited', code: undefined, signal: undefined },
  ];
}

/** The last deadline of a tender that this agent was told of; 0: none is open. */
export function tenderUntil({ copy }: Seat, now: number): number {
  let last = 0;
  for (const { until } of copy?.tenders.values() ?? []) last = Math.max(last, until);
  return last > now ? last : 0;
}

export function isSelling({ copy }: Seat, now: number): boolean {
  for (const until of copy?.sales.values() ?? []) if (until > now) return true;
  return false;
}

const HEARD_IN: ReadonlySet<ComponentState> = new Set(['starting', 'ready', 'suspect', 'stopping']);

/** What a component said is true of it from when a machine that minds it has heard it. */
export function hearTruly(
  copy: Copy | undefined,
  event: ComponentEvent,
  state: ComponentState,
  now: number,
): void {
  if (copy?.phase !== 'alive') return;
  if (event.kind === 'idle') copy.sales.delete(event.id);
  else if (event.kind === 'end') copy.tenders.delete(event.id);
  else if (event.kind === 'connected') copy.tenders.clear();
  if (!HEARD_IN.has(state)) return;
  if (event.kind === 'busy' && event.ceilingMs > 0 && Number.isFinite(event.ceilingMs)) {
    copy.sales.set(event.id, now + event.ceilingMs);
  } else if (event.kind === 'begin' && event.name.startsWith('tender')) {
    const { id, deadlineMs, leftMs } = event;
    copy.tenders.set(id, { deadlineMs, until: now + Math.min(leftMs ?? deadlineMs, deadlineMs) });
  } else if (event.kind === 'touch') {
    const found = copy.tenders.get(event.id);
    if (found) copy.tenders.set(event.id, { ...found, until: now + found.deadlineMs });
  }
}
