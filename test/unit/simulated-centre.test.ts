// What the centre asks of simulated tills: versions of the fleet configuration, and to be left alone for a while.

import { describe, expect, it } from 'vitest';
import { ROLLED_BACK_SHARE } from '../../agent/simulated/centre.ts';
import { charactersOf } from '../../agent/simulated/character.ts';
import { FAULTS } from '../../agent/simulated/kinds.ts';
import { type Held, newTill, type Till, type TillEffect } from '../../agent/simulated/model.ts';
import { hourAt, storesFile } from '../../agent/simulated/stores.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { nextMs, stepTill, type TillEvent } from '../../agent/simulated/till.ts';
import { readStoresFile } from '../../broker/stores/file.ts';

const WALL_MS = 1_800_000_000_000;
const characters = charactersOf(5, simulatedTerminals(2_000));
const [first] = characters;
if (first === undefined) throw new Error('there is no terminal');

function story(who = first as NonNullable<typeof first>) {
  let till: Till = newTill(who, WALL_MS);
  let now = 0;
  const effects: TillEffect[] = [];
  const step = (event: TillEvent): void => {
    const stepped = stepTill(till, event, now);
    till = stepped.till;
    effects.push(...stepped.effects);
  };
  const until = (endMs: number): void => {
    while (now < endMs) {
      now = Math.min(endMs, Math.max(now + 1, nextMs(till, now)));
      step({ kind: 'tick' });
    }
  };
  step({ kind: 'boot' });
  until(20_000);
  const taken = () => {
    const all = effects.splice(0);
    const told = all.flatMap((one) => (one.kind === 'report' ? [one.event] : []));
    const done = all.flatMap((one) => (one.kind === 'command_done' ? [one] : []));
    return { told, done };
  };
  taken();
  return { step, until, taken, now: () => now };
}

const document = (version: number) => ({
  name: 'tills',
  version,
  sha256: String(version).padStart(64, '0'),
});
const apply = (version: number): TillEvent => ({
  kind: 'apply',
  command: `c-${version}`,
  document: document(version),
});

describe('the stores of a simulated fleet', () => {
  it('are read as an operator’s file, with every region, and plan every terminal once', async () => {
    const fleet = simulatedTerminals(500);
    const read = await readStoresFile(storesFile(fleet), 'stores.yaml');
    if (!read.ok) throw new Error(read.problems.join('\n'));
    const planned = read.stores.flatMap(({ id, terminals }) =>
      terminals.map((one) => ({ id: one.id, store: id })),
    );
    expect(planned).toEqual(fleet);
    expect(new Set(read.stores.map(({ timeZone }) => timeZone)).size).toBe(5);
    expect(read.stores.every(({ hours }) => hours !== undefined)).toBe(true);
  });

  it('sell by the clock of the place where they stand', () => {
    const noon = Date.parse('2026-11-23T12:00:00Z');
    const hours = ['sim-01', 'sim-02', 'sim-03', 'sim-04', 'sim-05'].map((store) =>
      hourAt(store, noon),
    );
    expect(hours).toEqual([13, 12, 14, 7, 21]);
    expect(hourAt('sim-01', noon + 90 * 60_000)).toBe(14.5);
  });
});

describe('a document of the fleet', () => {
  it('is kept by nearly all, and rolled back at the same tills whenever the same text comes', () => {
    const answers = characters.map((who) => {
      const one = story(who);
      one.step(apply(1));
      const [before] = one.taken().done;
      one.step({ ...apply(1), command: 'again' } as TillEvent);
      const [after] = one.taken().done;
      expect(after?.ok).toBe(before?.ok);
      return before?.ok === true;
    });
    const share = answers.filter((kept) => !kept).length / answers.length;
    expect(share).toBeGreaterThan(ROLLED_BACK_SHARE / 2);
    expect(share).toBeLessThan(ROLLED_BACK_SHARE * 2);
  });

  it('is told as a real till tells it, and stands in the inventory also after a reboot', () => {
    const one = story();
    one.step(apply(2));
    const { told, done } = one.taken();
    expect(told.map(({ kind, fields }) => [kind, fields['what']])).toEqual([
      ['configuration', 'trial'],
      ['configuration', 'kept'],
      ['inventory', undefined],
    ]);
    expect(done).toMatchObject([{ command: 'c-2', ok: true, detail: document(2) }]);
    one.step({ kind: 'boot' });
    const inventory = one.taken().told.find(({ kind }) => kind === 'inventory');
    expect(inventory?.fields['configuration']).toEqual({ state: 'kept', ...document(2) });
  });
});

describe('a simulated till that is held', () => {
  const held = (forMs: number, now: number, maintenance?: string): Held => ({
    ...{ untilMs: now + forMs, untilWallMs: WALL_MS + now + forMs },
    ...{ reason: 'new paper', by: 'alice', maintenance },
  });

  it('does not act on a hang until the hold ends by itself, and heals it then', () => {
    const one = story();
    one.step({ kind: 'hold', command: 'h', held: held(600_000, one.now(), 'm-1') });
    expect(one.taken()).toMatchObject({
      told: [{ kind: 'hold', fields: { active: true, by: 'alice', maintenance: 'm-1' } }],
      done: [{ command: 'h', ok: true }],
    });
    const kind = FAULTS.find(({ effect }) => effect === 'hang');
    if (kind === undefined) throw new Error('no fault hangs');
    const fault = {
      kind,
      scope: 'terminal',
      target: '',
      component: 'sale',
      durationMs: 0,
    } as const;
    one.step({ kind: 'fault', fault });
    one.until(one.now() + 500_000);
    const during = one.taken().told.map((event) => event.kind);
    expect(during).toContain('recovery_suppressed');
    expect(during).not.toContain('incident_recovered');
    one.until(one.now() + 200_000);
    const { told } = one.taken();
    expect(told[0]).toMatchObject({ kind: 'hold', fields: { active: false, by: 'itself' } });
    expect(told.map((event) => event.kind)).toContain('incident_recovered');
  });

  it('by a maintenance is held on by who holds it themselves', () => {
    const one = story();
    one.step({ kind: 'hold', command: 'a', held: held(60_000, one.now()) });
    one.step({ kind: 'hold', command: 'b', held: held(30_000, one.now(), 'm-1') });
    one.step({ kind: 'hold', command: 'c', held: held(40_000, one.now(), 'm-2') });
    one.taken();
    one.step({ kind: 'release', command: 'd', by: 'bob', maintenance: 'm-1' });
    expect(one.taken()).toMatchObject({ told: [], done: [{ reason: 'the till was not held' }] });
    one.step({ kind: 'release', command: 'e', by: 'bob', maintenance: 'm-2' });
    expect(one.taken().told).toMatchObject([{ fields: { active: true, by: 'alice' } }]);
    one.step({ kind: 'release', command: 'f', by: 'bob', maintenance: undefined });
    expect(one.taken().told).toMatchObject([{ fields: { active: false, by: 'bob' } }]);
  });
});
