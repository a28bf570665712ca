// Who gets by itself what is released: those that come later, a few at a time, never what they refused.

import { describe, expect, it } from 'vitest';
import {
  choose,
  givenUpFor,
  heldFor,
  pursuedMax,
  type Wanted,
} from '../../broker/configurations/pursuit.ts';
import type { Sending } from '../../broker/configurations/store.ts';
import { begin, terminals, text } from './configurations-rig.ts';

const MINUTE = 60_000;
const ALL = { selector: { all: true } };
const target = { ...{ name: 'base', version: 4, sha256: 'a' }, scope: { rank: 'all' } } as const;
const sending = (terminal: string, more: Partial<Sending> = {}): Sending => ({
  ...{ terminal, name: 'base', version: 4, sha256: 'a', tries: 1, command: 'c' },
  ...{ atMs: 0, outcome: 'expired', reason: 'nobody came' },
  ...more,
});
const wanted = (terminal: string, store = terminal): Wanted => ({ terminal, store, target });
const pick = (all: readonly Wanted[], known: readonly Sending[], nowMs: number, room = 9) =>
  choose(all, new Map(known.map((one) => [one.terminal, one])), {
    ...{ nowMs, room, busyStores: new Set(['busy']) },
  }).map(({ terminal }) => terminal);

describe('who gets it now', () => {
  it.each([
    ['one of a store', [wanted('a', 's'), wanted('b', 's'), wanted('c', 't')], [], 0, ['a', 'c']],
    ['nobody of a store where one is at it', [wanted('a', 'busy')], [], 0, []],
    ['who has it under way waits', [wanted('a')], [sending('a', { outcome: '' })], 1e12, []],
    ['again after a minute', [wanted('a')], [sending('a')], MINUTE, ['a']],
    ['not sooner', [wanted('a')], [sending('a')], MINUTE - 1, []],
    ['then after ten', [wanted('a')], [sending('a', { tries: 2 })], 9 * MINUTE, []],
    ['and never a fourth time', [wanted('a')], [sending('a', { tries: 3 })], 1e12, []],
    ['another version at once', [wanted('a')], [sending('a', { version: 3, tries: 3 })], 0, ['a']],
    ['a clock that was set back', [wanted('a')], [sending('a', { atMs: 1e9 })], 0, ['a']],
  ] as const)('%s', (_what, all, known, nowMs, chosen) => {
    expect(pick(all, known, nowMs)).toEqual(chosen);
  });

  it('is few at a time: of ten thousand that all come back a hundred', () => {
    const all = Array.from({ length: 10_000 }, (_, at) => wanted(`t${at}`, `s${at % 500}`));
    expect(pursuedMax(all.length)).toBe(100);
    expect(pick(all, [], 0, 100)).toHaveLength(100);
    expect(pick(all, [], 0, 10_000)).toHaveLength(500);
    expect(pursuedMax(3)).toBe(5);
  });

  it('is told when it was tried often enough', () => {
    expect(givenUpFor(sending('a', { tries: 3 }), target)).toBe('tried 3 times: nobody came');
    expect(givenUpFor(sending('a', { tries: 2 }), target)).toBeUndefined();
    expect(givenUpFor(sending('a', { tries: 3, outcome: '' }), target)).toBeUndefined();
  });

  it('is nobody once too many could not run it', () => {
    const failed = (count: number) =>
      Array.from({ length: count }, (_, at) => sending(`f${at}`, { outcome: 'failed' }));
    const good = (count: number) =>
      Array.from({ length: count }, (_, at) => sending(`g${at}`, { outcome: 'succeeded' }));
    expect(heldFor(target, [...failed(2), ...good(1)], 10)).toBeUndefined();
    expect(heldFor(target, [...failed(3), ...good(27)], 10)).toBeUndefined();
    expect(heldFor(target, [...failed(3), ...good(26)], 10)).toBe(
      '3 of 29 that came back could not run it',
    );
  });
});

describe('a terminal that comes later', () => {
  /** Berlin is away while the version is rolled out. */
  async function away() {
    const rig = await begin();
    for (const { id, store } of terminals) {
      if (store === 'berlin') rig.fleet.sessionClosed(id, 'gone');
    }
    await rig.apply('base', { text: text(), ...ALL });
    return rig;
  }
  const settle = (rig: Awaited<ReturnType<typeof begin>>, rounds = 10) => {
    let most = 0;
    for (let round = 0; round < rounds; round += 1) {
      rig.time.pass(1_000);
      most = Math.max(most, rig.asked().length);
      rig.turn();
    }
    return most;
  };

  it('gets what was released meanwhile, one of its store at a time, and is named until then', async () => {
    const rig = await away();
    const { till, come, show, get } = rig;
    expect(till('hamm-1').seen).toEqual([1]);
    expect(till('berlin-1').seen).toEqual([]);
    expect((await show('base')).counts).toMatchObject({ meant: 6, running: 3, behind: 3 });
    for (const lane of [1, 2, 3]) come(`berlin-${lane}`);
    const metrics = (await get('/metrics')).body;
    expect(metrics).toContain('pos_terminals_config_behind 3');
    expect(metrics).toContain('tillwatch_config_rollouts{state="released"} 1');
    expect(settle(rig)).toBe(1);
    expect((await show('base')).counts).toMatchObject({ running: 6, behind: 0 });
    expect(till('berlin-2').text).toBe(text());
    const { commands } = (await get('/api/v1/commands?terminal=berlin-1')).json();
    expect(commands).toMatchObject([{ operator: 'broker', reason: /version 1 of base/ }] as never);
  });

  it('is never sent again what it went back from, and says why; a new version is tried', async () => {
    const rig = await away();
    const { till, come, plan, start, get } = rig;
    till('berlin-1').works = false;
    come('berlin-1');
    settle(rig, 200);
    rig.time.pass(4 * 60 * MINUTE);
    settle(rig, 5);
    expect(till('berlin-1').seen).toEqual([1]);
    const view = (await get('/api/v1/terminals/berlin-1')).json();
    expect(view.configuration).toMatchObject({ behind: true, refused: 'sale was not ready' });
    till('berlin-1').works = true;
    await start(await plan('base', { text: text('logs: {}\n') }));
    rig.finish();
    expect(till('berlin-1').seen).toEqual([1, 2]);
  });

  it('is spared when those before it could not run it', async () => {
    const rig = await begin();
    for (const { id } of terminals) rig.fleet.sessionClosed(id, 'gone');
    // Nobody is there: it is released as it is.
    const planned = await rig.plan('base', { text: text(), ...ALL });
    expect(planned).toMatchObject({ count: 0, leftOut: { count: 6 } });
    expect(await rig.start(planned)).toMatchObject({ state: 'released' });
    for (const { id } of terminals) rig.till(id).works = false;
    for (const { id } of terminals) rig.come(id);
    settle(rig, 60);
    const tried = terminals.filter(({ id }) => rig.till(id).seen.length > 0);
    expect(tried.length).toBeLessThanOrEqual(4);
    expect(await rig.show('base')).toMatchObject({ held: /could not run it/ } as never);
  });

  it('gets that of its new store when it was moved between versions', async () => {
    const { apply, till, fleet, ...rig } = await begin();
    await apply('berlin', { text: text('disk: {}\n'), selector: { store: 'berlin' } });
    await apply('hamm', { text: text('logs: {}\n'), selector: { store: 'hamm' } });
    fleet.planner.plan('berlin-1', 'hamm');
    settle({ ...rig, apply, till, fleet });
    expect(till('berlin-1').text).toBe(text('logs: {}\n'));
    expect(till('berlin-2').text).toBe(text('disk: {}\n'));
  });

  it('waits for the end of a maintenance', async () => {
    const rig = await away();
    const { till, come, maintained } = rig;
    maintained.add('berlin-1');
    for (const lane of [1, 2, 3]) come(`berlin-${lane}`);
    settle(rig, 20);
    expect([till('berlin-1').seen, till('berlin-2').seen]).toEqual([[], [1]]);
    maintained.clear();
    settle(rig, 20);
    expect(till('berlin-1').seen).toEqual([1]);
  });

  it('is left to the rollout that it is in the list of', async () => {
    const rig = await begin();
    await rig.apply('base', { text: text(), ...ALL });
    const next = await rig.plan('base', { text: text('logs: {}\n') });
    rig.fleet.sessionClosed('hamm-3', 'gone');
    await rig.start(next);
    settle(rig, 40);
    expect(rig.till('hamm-3').seen).toEqual([1]);
    rig.come('hamm-3');
    settle(rig, 5);
    expect(rig.till('hamm-3').seen).toEqual([1, 2]);
    expect(await rig.show('base')).toMatchObject({ released: { version: 2 } });
  });
});
