// The simulated fleet's chance: a seed is a fleet, and over a year the faults come at the rates of
// research/pos.md section 7, together where that table says together.

import { describe, expect, it } from 'vitest';
import { type Character, charactersOf } from '../../agent/simulated/character.ts';
import {
  type Fault,
  nextFault,
  type Source,
  sourcesOf,
  strikes,
  YEAR_MS,
} from '../../agent/simulated/faults.ts';
import { FAULTS } from '../../agent/simulated/kinds.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { loadConfig } from '../../broker/config.ts';

/** All faults within `years`, in no particular order. */
function history(sources: readonly Source[], years: number): Fault[] {
  return sources.flatMap((first) => {
    const faults: Fault[] = [];
    for (let source = first; source.atMs < years * YEAR_MS; ) {
      const next = nextFault(source);
      faults.push(next.fault);
      source = next.source;
    }
    return faults;
  });
}

const YEARS = 5;
const fleet = charactersOf(7, simulatedTerminals(200, 40));
const faults = history(sourcesOf(fleet, 7, 1), YEARS);
const struck = (fault: Fault): Character[] => fleet.filter((who) => strikes(fault, who));
/** One for each terminal that it came to, with what it was. */
const hits = faults.flatMap((fault) => struck(fault).map((who) => ({ fault, who })));

describe('the terminals', () => {
  it('have names that the broker takes, each in a store, evenly', () => {
    const terminals = simulatedTerminals(53, 10);
    const text = JSON.stringify({ dataDir: '/x', terminals });
    expect(loadConfig(text, '/')).toMatchObject({ ok: true });
    expect(new Set(terminals.map(({ id }) => id)).size).toBe(53);
    const lanes = Map.groupBy(terminals, ({ store }) => store);
    expect([...lanes.values()].map(({ length }) => length).toSorted()).toEqual([
      5, 5, 5, 5, 5, 5, 5, 6, 6, 6,
    ]);
    expect(terminals[0]).toEqual({ id: 'sim-01-lane-1', store: 'sim-01' });
    expect(simulatedTerminals(0)).toEqual([]);
  });

  it('differ in versions and clocks, and a tenth are lemons', () => {
    expect(fleet.filter(({ lemon }) => lemon).length).toBe(20);
    expect(new Set(fleet.map(({ versions }) => versions.sale)).size).toBeGreaterThanOrEqual(3);
    const wrong = fleet.filter(({ clockErrorMs }) => Math.abs(clockErrorMs) >= 60_000).length;
    expect(wrong).toBeGreaterThan(5);
    expect(wrong).toBeLessThan(40);
  });

  it('are the same with the same seed, and others with another', () => {
    const terminals = simulatedTerminals(200, 40);
    expect(charactersOf(7, terminals)).toEqual(fleet);
    expect(charactersOf(8, terminals)).not.toEqual(fleet);
  });
});

describe('the faults of a simulated year', () => {
  it.each(FAULTS.filter(({ perYear }) => perYear >= 0.3))('$id: $perYear a year', (kind) => {
    const of = hits.filter(({ fault }) => fault.kind === kind).length;
    const expected = kind.perYear * fleet.length * YEARS;
    // What comes to a whole store or version at once comes in lumps of five or a hundred.
    const lumps = faults.filter((fault) => fault.kind === kind).length;
    const tolerance = Math.max(0.05, 4 / Math.sqrt(lumps));
    const wide = kind.nature === 'software' ? 0.35 : 0;
    expect(of / expected).toBeGreaterThan(1 - tolerance - wide);
    expect(of / expected).toBeLessThan(1 + tolerance + wide);
  });

  it('are for about 30 % of the incidents of a store, for about 10 % of a version', () => {
    const incidents = hits.filter(({ fault }) => fault.kind.nature !== 'everyday');
    const share = (scope: Fault['scope']): number =>
      incidents.filter(({ fault }) => fault.scope === scope).length / incidents.length;
    expect(share('store')).toBeGreaterThan(0.25);
    expect(share('store')).toBeLessThan(0.4);
    expect(share('version')).toBeGreaterThan(0.06);
    expect(share('version')).toBeLessThan(0.14);
  });

  it('of hardware are for about 70 % those of lemons', () => {
    const hardware = hits.filter(({ fault }) => fault.kind.nature === 'hardware');
    const lemons = hardware.filter(({ who }) => who.lemon).length / hardware.length;
    expect(lemons).toBeGreaterThan(0.65);
    expect(lemons).toBeLessThan(0.75);
  });

  it('come as often as the rate says', () => {
    const many = history(sourcesOf(fleet, 7, 10), 0.5).length;
    expect(many / (faults.length / YEARS)).toBeGreaterThan(4.8);
    expect(many / (faults.length / YEARS)).toBeLessThan(5.2);
  });

  it('are the same with the same seed', () => {
    const again = history(sourcesOf(charactersOf(7, simulatedTerminals(200, 40)), 7, 1), 0.1);
    expect(again).toEqual(history(sourcesOf(fleet, 7, 1), 0.1));
    expect(again).not.toEqual(history(sourcesOf(fleet, 8, 1), 0.1));
  });
});
