// Stories of bulk actions: how waves go on, what stops them, and what never happens again.

import { describe, expect, it } from 'vitest';
import { type BulkEvent, PLAN_MS_MAX, step } from '../../broker/bulk/machine.ts';
import { type BulkModel, countsOf, isInFlight, isOver } from '../../broker/bulk/model.ts';

const KIM = { name: 'kim', role: 'admin' } as const;
const LIMITS = { firstWave: 1, fleetPercent: 50, failurePercent: 10, failuresMin: 3 };
const RESULT_MS = 420_000;

function plan(stores: Record<string, number>, change: Partial<BulkModel> = {}): BulkModel {
  const targets = Object.entries(stores).flatMap(([store, size]) =>
    Array.from({ length: size }, (_, n) => ({
      ...{ terminal: `${store}-${n}`, store, state: 'waiting' as const },
      ...{ command: '', reason: '', sentMs: 0 },
    })),
  );
  return {
    ...{ id: 'b1', content: { kind: 'restart', arguments: { component: 'sale' } } },
    ...{ plannedBy: 'kim', startedBy: undefined, reason: '', createdMs: 0, startedMs: undefined },
    ...{ lastsMs: 86_400_000, expiresMs: undefined, endedMs: undefined, state: 'planned', why: '' },
    ...{ resultMs: RESULT_MS, wave: { number: 0, size: 0 }, forgiven: { failed: 0, ended: 0 } },
    ...{ limits: LIMITS, fleetSize: targets.length },
    ...{ leftOut: { count: 0, first: [] }, targets, ...change },
  };
}

/** Drives one by hand; every terminal is there unless it is named as away. */
function story(first: BulkModel) {
  let model = first;
  let now = 0;
  const recorded: string[] = [];
  const cancelled: string[] = [];
  const away = new Set<string>();
  const moved = new Map<string, string>();
  const gone = new Map<string, string>();
  let commands = 0;
  const tell = (event: BulkEvent): string[] => {
    const next = step(model, event, now);
    model = next.model;
    const issued: string[] = [];
    for (const effect of next.effects) {
      if (effect.kind === 'record') recorded.push(effect.step);
      else if (effect.kind === 'cancel') cancelled.push(effect.command);
      else {
        commands += 1;
        issued.push(effect.terminal);
        const { terminal } = effect;
        model = step(model, { kind: 'issued', terminal, command: `c${commands}` }, now).model;
      }
    }
    return issued;
  };
  const tick = (others: ReadonlyMap<string, number> = new Map()): string[] => {
    const present = model.targets.filter(({ terminal }) => !away.has(terminal));
    const there = new Set(present.map(({ terminal }) => terminal));
    const selling = new Map<string, number>();
    for (const target of present) {
      if (isInFlight(target) || gone.has(target.terminal)) continue;
      const store = moved.get(target.terminal) ?? target.store;
      selling.set(store, (selling.get(store) ?? 0) + 1);
    }
    for (const [store, count] of others) selling.set(store, (selling.get(store) ?? 0) - count);
    return tell({ kind: 'tick', there, others, selling, moved, gone });
  };
  const result = (terminal: string, state: 'succeeded' | 'failed' | 'unknown' = 'succeeded') =>
    tell({
      ...{ kind: 'result', state, reason: state },
      command: model.targets.find((target) => target.terminal === terminal)?.command ?? '',
    });
  return {
    ...{ away, moved, gone, cancelled, recorded, tell, tick, result },
    start: () => tell({ kind: 'start', by: KIM, reason: 'because' }),
    /** Runs wave after wave. @returns their sizes. */
    waves: (state: 'succeeded' | 'failed' = 'succeeded'): number[] => {
      const sizes: number[] = [];
      for (let wave = tick(); wave.length > 0; wave = tick()) {
        sizes.push(wave.length);
        for (const terminal of wave) result(terminal, state);
      }
      return sizes;
    },
    pass: (ms: number) => {
      now += ms;
    },
    model: () => model,
    counts: () => countsOf(model),
  };
}

describe('a bulk action', () => {
  it('does nothing before it is started, and is over when nobody starts it', () => {
    const one = story(plan({ a: 4 }));
    expect(one.tick()).toEqual([]);
    one.pass(PLAN_MS_MAX);
    one.tick();
    expect([one.model().state, one.model().why]).toEqual(['expired', 'nobody started it']);
    one.start();
    expect(one.tick()).toEqual([]);
  });

  it('begins with one terminal and doubles up to its share of the fleet', () => {
    const stores = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`s${n}`, 4]));
    const one = story(plan(stores, { limits: { ...LIMITS, fleetPercent: 10 } }));
    one.start();
    expect(one.waves().slice(0, 8)).toEqual([1, 2, 4, 8, 16, 16, 16, 16]);
    expect(one.model()).toMatchObject({
      state: 'done',
      why: '160 succeeded, 0 failed, 0 left out',
    });
    expect(isOver(one.model())).toBe(true);
    expect(new Set(one.recorded)).toEqual(new Set(['start', 'wave', 'finish']));
  });

  it('never takes more than half of a store at once, and of a single till that one', () => {
    const one = story(
      plan({ a: 5, b: 1 }, { limits: { ...LIMITS, firstWave: 100, fleetPercent: 100 } }),
    );
    one.start();
    expect(one.tick()).toEqual(['a-0', 'a-1', 'b-0']);
    one.result('b-0');
    expect(one.tick()).toEqual([]);
    one.result('a-0');
    one.result('a-1');
    expect(one.tick()).toEqual(['a-2', 'a-3']);
  });

  it('counts what sells now: not the dead, and who was moved where it stands now', () => {
    const many = { limits: { ...LIMITS, firstWave: 100, fleetPercent: 100 } };
    const one = story(plan({ a: 4, b: 2 }, many));
    one.away.add('a-2').add('a-3');
    one.start();
    expect(one.tick()).toEqual(['a-0', 'b-0']);
    const other = story(plan({ a: 2, b: 1 }, many));
    other.moved.set('b-0', 'a');
    other.start();
    expect(other.tick()).toEqual(['a-0']);
    other.result('a-0');
    expect(other.tick()).toEqual(['a-1']);
  });

  it('waits no longer for who is gone, and believes a late word of it', () => {
    const one = story(plan({ a: 2, b: 1 }, { limits: { ...LIMITS, firstWave: 2 } }));
    one.gone.set('a-0', 'the terminal was retired');
    expect([one.tick(), one.counts().waiting]).toEqual([[], 3]);
    one.start();
    expect(one.tick()).toEqual(['a-1']);
    one.gone.set('a-1', 'the terminal was retired').set('b-0', 'the terminal was retired');
    one.tick();
    expect(one.model()).toMatchObject({ state: 'done', why: '0 succeeded, 0 failed, 3 left out' });
    expect(one.model().targets[1]?.reason).toBe('the terminal was retired');
    one.result('a-1');
    expect(one.counts()).toMatchObject({ succeeded: 1, skipped: 2 });
  });

  it('leaves room for what other bulk actions have under way', () => {
    const one = story(plan({ a: 4, b: 4 }, { limits: { ...LIMITS, firstWave: 100 } }));
    one.start();
    expect(
      one.tick(
        new Map([
          ['a', 2],
          ['b', 1],
        ]),
      ),
    ).toEqual(['b-0']);
    const other = story(plan({ a: 4, b: 4 }, { limits: { ...LIMITS, firstWave: 100 } }));
    other.start();
    expect(other.tick(new Map([['x', 4]]))).toEqual([]);
  });

  it('waits for every result of a wave, and counts one that does not come as failed', () => {
    const one = story(plan({ a: 2, b: 2, c: 2 }, { limits: { ...LIMITS, firstWave: 2 } }));
    one.start();
    expect(one.tick()).toEqual(['a-0', 'b-0']);
    one.result('a-0');
    one.pass(RESULT_MS);
    expect(one.tick()).toEqual([]);
    one.pass(1);
    // b-0 may still be at it: nothing else in its store.
    expect(one.tick()).toEqual(['a-1', 'c-0']);
    expect(one.counts()).toMatchObject({ overdue: 1, succeeded: 1 });
    one.result('b-0');
    expect(one.counts()).toMatchObject({ overdue: 0, succeeded: 2 });
  });

  it('stops by itself at three failures of few, and begins small when it is resumed', () => {
    const stores = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`s${n}`, 2]));
    const one = story(plan(stores));
    one.start();
    expect(one.waves('failed')).toEqual([1, 2]);
    expect(one.model()).toMatchObject({
      ...{ state: 'paused', why: '3 of 3 failed, which is more than 10 %' },
    });
    expect(one.recorded.at(-1)).toBe('stop');
    one.tell({ kind: 'resume', by: 'kim', reason: 'it was the network' });
    expect(one.waves().slice(0, 3)).toEqual([1, 2, 4]);
    expect(one.model().state).toBe('done');
  });

  it('does not stop for a few of many', () => {
    const stores = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`s${n}`, 2]));
    const one = story(plan(stores));
    one.start();
    let ended = 0;
    for (let wave = one.tick(); wave.length > 0; wave = one.tick()) {
      for (const terminal of wave) {
        ended += 1;
        one.result(terminal, ended > 40 && ended % 11 === 0 ? 'failed' : 'succeeded');
      }
    }
    expect(one.model().state).toBe('done');
    expect(one.counts().failed).toBeGreaterThan(10);
  });

  it('waits for terminals that are away until it expires, and then leaves them out', () => {
    const one = story(plan({ a: 2, b: 2 }, { lastsMs: 3_600_000 }));
    one.away.add('a-1').add('b-1');
    one.start();
    one.waves();
    expect([one.model().state, one.counts().waiting]).toEqual(['running', 2]);
    one.away.delete('b-1');
    expect(one.tick()).toEqual(['b-1']);
    one.result('b-1');
    one.pass(3_600_000);
    one.tick();
    expect(one.model()).toMatchObject({ state: 'done', why: '3 succeeded, 0 failed, 1 left out' });
  });

  it('sends nothing while it is paused, and goes on where it was', () => {
    const one = story(plan({ a: 4 }));
    one.start();
    const [first = ''] = one.tick();
    one.tell({ kind: 'pause', by: 'ada', reason: 'lunch' });
    one.result(first);
    expect(one.tick()).toEqual([]);
    expect(one.model().why).toBe('paused by ada: lunch');
    one.tell({ kind: 'resume', by: 'ada', reason: 'lunch is over' });
    expect(one.waves()).toEqual([1, 2]);
  });

  it('that is aborted takes back what was sent and begins nothing more', () => {
    const one = story(plan({ a: 4, b: 4 }, { limits: { ...LIMITS, firstWave: 2 } }));
    one.start();
    one.tick();
    one.tell({ kind: 'abort', by: 'ada', reason: 'wrong list' });
    expect([one.model().state, one.cancelled]).toEqual(['aborted', ['c1', 'c2']]);
    expect([one.tick(), isOver(one.model())]).toEqual([[], false]);
    one.tell({ kind: 'result', command: 'c1', state: 'cancelled', reason: '' });
    one.tell({ kind: 'result', command: 'c2', state: 'succeeded', reason: '' });
    expect(one.counts()).toMatchObject({ succeeded: 1, skipped: 7 });
    expect(isOver(one.model())).toBe(true);
    one.tell({ kind: 'resume', by: 'ada', reason: 'go on' });
    expect(one.tick()).toEqual([]);
  });

  it('counts a terminal that refuses as failed, and takes each word once', () => {
    const one = story(plan({ a: 2 }));
    one.start();
    const { model, effects } = step(
      one.model(),
      {
        ...{ kind: 'tick', there: new Set(['a-0']), others: new Map(), selling: new Map() },
        ...{ moved: new Map(), gone: new Map() },
      },
      0,
    );
    expect(effects.at(-1)).toEqual({ kind: 'issue', terminal: 'a-0' });
    const refused = step(model, { kind: 'refused', terminal: 'a-0', reason: 'no' }, 0);
    expect(refused.model.targets[0]).toMatchObject({ state: 'failed', reason: 'no' });
    const late = { kind: 'issued', terminal: 'a-0', command: 'c9' } as const;
    expect(step(refused.model, late, 0).model).toBe(refused.model);
  });
});
