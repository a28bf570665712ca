// Which series a terminal sends when there are more than its budget lets pass. Our own come first, components share
// the rest so that a chatty one cannot silence a quiet one, names of the catalogue go before what a component
// invents, and what was sent before goes before what is new: a series that comes and goes is worse than one that was
// never there, because every graph of it has holes that mean nothing. So a place is held for an hour for what is
// missing for a while (a component that restarts), and shares shrink and grow by the most of that hour.

import * as limits from '../../protocol/limits.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { LeftOut, Outward, OutwardUnit } from './series.ts';

export type Budgeted = {
  readonly samples: readonly Sample[];
  /** Names of series left out, by component, each occurrence once; our own under `agent`. */
  readonly dropped: ReadonlyMap<string, readonly string[]>;
  readonly left: ReadonlyMap<string, readonly LeftOut[]>;
};
/** A place that a series has, with what the next agent has to know of it. */
export type Held = {
  readonly key: string;
  readonly component: string;
  readonly isApp: boolean;
  readonly size: number;
};

const HELD_MS = 60 * 60_000;
/** More than any budget: what is remembered by a damaged file is not believed without end. */
export const HELD_MAX = 1_000;
export const OVER = 'over the budget of the terminal';

/** How many each may have: the smallest wishes are met first, the rest is shared evenly. */
export function shares(wishes: readonly number[], total: number): number[] {
  const granted = wishes.map(() => 0);
  let left = Math.max(0, total);
  const order = wishes.map((wish, index) => ({ wish, index })).sort((a, b) => a.wish - b.wish);
  for (const [position, { wish, index }] of order.entries()) {
    const grant = Math.min(wish, Math.floor(left / (order.length - position)));
    granted[index] = grant;
    left -= grant;
  }
  return granted;
}

/** The most of the last hour. */
class Peak {
  #most = 0;
  #atMs = Number.NEGATIVE_INFINITY;

  see(count: number, nowMs: number): number {
    if (count >= this.#most || nowMs - this.#atMs > HELD_MS) {
      this.#most = count;
      this.#atMs = nowMs;
    }
    return this.#most;
  }

  isOver(nowMs: number): boolean {
    return nowMs - this.#atMs > HELD_MS;
  }
}

type Place = Held & { readonly seenAtMs: number };
/** What wants a place: a unit of this sample, or one that is missing from it and has one. */
type Candidate = Held & { readonly unit?: OutwardUnit; readonly seniority: number };

const sizeOf = (all: readonly { readonly size: number }[]): number =>
  all.reduce((sum, { size }) => sum + size, 0);

export class SeriesBudget {
  /** In order of seniority. */
  #held = new Map<string, Place>();
  readonly #own = new Peak();
  readonly #wishes = new Map<string, Peak>();

  /** @param remembered places that an agent before had given. */
  constructor(remembered: readonly Held[] = [], nowMs = 0) {
    for (const place of remembered.slice(0, HELD_MAX)) {
      this.#held.set(placeKey(place), { ...place, seenAtMs: nowMs });
    }
  }

  places(): Held[] {
    return [...this.#held.values()].map(({ key, component, isApp, size }) => ({
      ...{ key, component, isApp, size },
    }));
  }

  /**
   * @param own the agent's series; only when they alone exceed the budget are the last of them cut.
   * @param nowMs monotonic.
   */
  take(
    own: readonly Sample[],
    scraped: readonly Outward[],
    seriesMax: number = limits.SERIES_PER_TERMINAL_MAX,
    nowMs = 0,
  ): Budgeted {
    const samples = own.slice(0, seriesMax);
    const left = new Map<string, LeftOut[]>();
    const leave = (component: string, all: readonly LeftOut[]): void => {
      if (all.length > 0) left.set(component, [...(left.get(component) ?? []), ...all]);
    };
    leave(
      'agent',
      own.slice(seriesMax).map(({ name }) => ({ name, count: 1, reason: OVER })),
    );
    const room = seriesMax - Math.min(seriesMax, this.#own.see(samples.length, nowMs));
    this.#forget(nowMs);
    const candidates = this.#candidates(scraped);
    const granted = this.#granted(candidates, room, nowMs);
    const held = new Map<string, Place>();
    for (const [component, all] of candidates) {
      const over = this.#fill(all, granted.get(component) ?? 0, held, samples, nowMs);
      leave(component, scraped.find((one) => one.component === component)?.left ?? []);
      leave(component, over);
    }
    this.#held = inOrder(this.#held, held);
    return { samples, dropped: namesOf(left), left };
  }

  #forget(nowMs: number): void {
    for (const [key, { seenAtMs }] of this.#held) {
      if (nowMs - seenAtMs > HELD_MS) this.#held.delete(key);
    }
    for (const [component, peak] of this.#wishes) {
      if (peak.isOver(nowMs)) this.#wishes.delete(component);
    }
  }

  #candidates(scraped: readonly Outward[]): Map<string, Candidate[]> {
    const seniority = new Map([...this.#held.keys()].map((key, index) => [key, index] as const));
    const byComponent = new Map<string, Candidate[]>();
    const present = new Set<string>();
    for (const { component, units } of scraped) {
      const all = units.map((unit) => {
        const { key, isApp, samples } = unit;
        const held = { key, component, isApp, size: samples.length };
        const place = placeKey(held);
        present.add(place);
        return { ...held, unit, seniority: seniority.get(place) ?? Number.POSITIVE_INFINITY };
      });
      byComponent.set(component, all);
    }
    for (const [place, held] of this.#held) {
      if (present.has(place)) continue;
      const all = byComponent.get(held.component) ?? [];
      byComponent.set(held.component, all);
      all.push({ ...held, seniority: seniority.get(place) ?? 0 });
    }
    return byComponent;
  }

  #granted(
    candidates: ReadonlyMap<string, readonly Candidate[]>,
    room: number,
    nowMs: number,
  ): Map<string, number> {
    const wishes = [...candidates].map(([component, all]) => {
      const peak = this.#wishes.get(component) ?? new Peak();
      this.#wishes.set(component, peak);
      return peak.see(sizeOf(all), nowMs);
    });
    const granted = shares(wishes, room);
    return new Map([...candidates.keys()].map((name, index) => [name, granted[index] ?? 0]));
  }

  /** @returns what of this sample found no place. */
  #fill(
    candidates: readonly Candidate[],
    grant: number,
    held: Map<string, Place>,
    samples: Sample[],
    nowMs: number,
  ): LeftOut[] {
    const over: LeftOut[] = [];
    let left = grant;
    const order = candidates.toSorted(
      (a, b) => Number(a.isApp) - Number(b.isApp) || compare(a.seniority, b.seniority),
    );
    for (const candidate of order) {
      const { unit, key, component, isApp, size } = candidate;
      if (size > left) {
        if (unit) over.push({ name: unit.name, count: size, reason: OVER });
        continue;
      }
      left -= size;
      const place = placeKey(candidate);
      const seenAtMs = unit ? nowMs : (this.#held.get(place)?.seenAtMs ?? nowMs);
      held.set(place, { key, component, isApp, size, seenAtMs });
      if (unit) samples.push(...unit.samples);
    }
    return over;
  }
}

/** Infinity minus infinity is no order. */
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

const placeKey = ({ component, key }: Pick<Held, 'component' | 'key'>): string =>
  `${component}\0${key}`;

/** Who had a place keeps its seniority; who is new comes last. */
function inOrder(before: ReadonlyMap<string, Place>, now: Map<string, Place>): Map<string, Place> {
  const ordered = new Map<string, Place>();
  for (const key of before.keys()) {
    const place = now.get(key);
    if (place !== undefined) ordered.set(key, place);
  }
  for (const [key, place] of now) if (!ordered.has(key)) ordered.set(key, place);
  return ordered;
}

const namesOf = (left: ReadonlyMap<string, readonly LeftOut[]>): Map<string, readonly string[]> =>
  new Map(
    [...left].map(([component, all]) => [
      component,
      all.flatMap(({ name, count }) => Array.from({ length: count }, () => name)),
    ]),
  );
