// One simulated till: pure steps over the agent's own state machine, from which the events, states and
// reasons come that a real till would report.

import { describe, expect, it } from 'vitest';
import { tradeAt } from '../../agent/simulated/books.ts';
import { charactersOf } from '../../agent/simulated/character.ts';
import type { Fault } from '../../agent/simulated/faults.ts';
import { type Effect, FAULTS } from '../../agent/simulated/kinds.ts';
import { newTill, type Till, type TillEffect } from '../../agent/simulated/model.ts';
import { readOptions } from '../../agent/simulated/options.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { networkOf, nextMs, stepTill, type TillEvent } from '../../agent/simulated/till.ts';
import { decodeEventBody, encodeEventBody } from '../../protocol/events.ts';

const WALL_MS = 1_800_000_000_000;
const [who] = charactersOf(3, simulatedTerminals(1));
if (who === undefined) throw new Error('there is no terminal');

/** Steps a till through time from one of its own moments to the next. */
function story(seed = 0) {
  let till: Till = newTill({ ...(who as NonNullable<typeof who>), seed }, WALL_MS);
  let now = 0;
  const effects: TillEffect[] = [];
  const step = (event: TillEvent): void => {
    const stepped = stepTill(till, event, now);
    till = stepped.till;
    effects.push(...stepped.effects);
  };
  const until = (endMs: number): void => {
    for (let turns = 0; now < endMs; turns += 1) {
      if (turns > 100_000) throw new Error('the till does not come to rest');
      now = Math.min(endMs, Math.max(now + 1, nextMs(till, now)));
      step({ kind: 'tick' });
    }
  };
  const fault = (effect: Effect, durationMs = 0, component: Fault['component'] = 'sale'): void => {
    const kind = FAULTS.find((one) => one.effect === effect);
    if (kind === undefined) throw new Error(`no fault ${effect}`);
    step({
      kind: 'fault',
      fault: { kind, scope: 'terminal', target: '', component, durationMs },
    });
  };
  const reports = () => effects.flatMap((e) => (e.kind === 'report' ? [e.event] : []));
  const kinds = () => reports().map(({ kind }) => kind);
  const states = () => till.parts.map(({ model }) => model.state);
  step({ kind: 'boot' });
  until(20_000);
  return {
    step,
    until,
    fault,
    reports,
    kinds,
    states,
    effects,
    till: () => till,
    now: () => now,
  };
}

describe('a simulated till', () => {
  it('introduces itself and starts its components in order', () => {
    const one = story();
    expect(one.kinds().slice(0, 2)).toEqual(['agent_started', 'inventory']);
    const ready = one
      .reports()
      .flatMap((e) =>
        e.kind === 'component_state' && e.fields.to === 'ready' ? [e.component] : [],
      );
    expect(ready).toEqual(['hardware', 'sale', 'sync']);
    expect(one.states()).toEqual(['ready', 'ready', 'ready']);
    // At rest: nothing is due until something happens.
    one.until(200_000);
    expect(nextMs(one.till(), one.now())).toBe(Infinity);
  });

  it('heals a crash and a hang with the watchdog’s own words', () => {
    const one = story();
    one.fault('crash');
    one.until(40_000);
    one.fault('hang', 0, 'sync');
    one.until(80_000);
    const opened = one.reports().filter(({ kind }) => kind === 'incident_opened');
    expect(opened.map((e) => (e.fields as { cause: string }).cause)).toEqual(['crash', 'hang']);
    expect(opened[1]?.fields).toMatchObject({ reason: expect.stringMatching(/^main thread is /) });
    const recovered = one.reports().filter(({ kind }) => kind === 'incident_recovered');
    const detectedMs = Number(recovered[1] && Reflect.get(recovered[1].fields, 'detectedMs'));
    expect(recovered.length).toBe(2);
    expect(detectedMs).toBeGreaterThanOrEqual(2_000);
    expect(detectedMs).toBeLessThan(6_000);
    expect(one.states()).toEqual(['ready', 'ready', 'ready']);
    expect(one.till().parts.map(({ restarts }) => restarts.crash + restarts.hang)).toEqual([
      0, 1, 1,
    ]);
  });

  it('finds hung work of hardware as stalled', () => {
    const one = story();
    one.fault('stall', 0, 'hardware');
    one.until(60_000);
    const opened = one.reports().find(({ kind }) => kind === 'incident_opened');
    expect(opened?.fields).toMatchObject({ cause: 'stalled' });
    expect(one.states()[0]).toBe('ready');
  });

  it('ends in quarantine when each start fails, and comes back when somebody corrects it', () => {
    const one = story();
    one.fault('crash_loop', 10 * 60_000);
    one.until(5 * 60_000);
    expect(one.kinds()).toContain('incident_quarantined');
    one.until(25 * 60_000);
    expect(one.states()).toEqual(['ready', 'ready', 'ready']);
  });

  it('answers a restart when it is idle, and is then a new process', () => {
    for (const seed of [1, 2, 3, 4]) {
      const one = story(seed);
      const before = one.till().parts[1]?.model.pid;
      const command = 'c0ffee00-0000-4000-8000-000000000000';
      one.step({ kind: 'restart', component: 'sale', reason: 'asked', command });
      one.until(90_000);
      const done = one.effects.filter((effect) => effect.kind === 'command_done');
      expect(done).toEqual([{ kind: 'command_done', command, ok: true, reason: 'ready again' }]);
      expect(one.till().parts[1]?.model.pid).not.toBe(before);
    }
  });

  it('loses its line for as long as the outage lasts', () => {
    const one = story();
    one.fault('cut', 60_000);
    expect(networkOf(one.till(), one.now())).toBe('cut');
    one.until(79_000);
    expect(networkOf(one.till(), one.now())).toBe('cut');
    one.until(81_000);
    expect(networkOf(one.till(), one.now())).toBe('up');
    one.fault('freeze', 5_000);
    expect(networkOf(one.till(), one.now())).toBe('frozen');
  });

  it('is dark without power and boots again after it', () => {
    const one = story();
    one.fault('power', 30_000);
    expect(networkOf(one.till(), one.now())).toBe('cut');
    one.until(45_000);
    expect(one.till().offUntilMs).toBeDefined();
    one.until(150_000);
    expect(one.kinds().filter((kind) => kind === 'agent_started').length).toBe(2);
    expect(one.states()).toEqual(['ready', 'ready', 'ready']);
  });

  it('survives every kind of fault, and reports only what the broker can read', () => {
    const one = story();
    for (const { effect } of FAULTS) {
      one.fault(effect, 5_000, 'hardware');
      one.until(one.now() + 10_000);
    }
    one.until(one.now() + 2 * 3_600_000);
    expect(one.states()).toEqual(['ready', 'ready', 'ready']);
    const events = one.reports().map((event) => ({ id: 'x', timeMs: 1, ...event }));
    for (let at = 0; at < events.length; at += 100) {
      expect(decodeEventBody(encodeEventBody(events.slice(at, at + 100)))).toMatchObject({
        ok: true,
      });
    }
  });

  it('is the same with the same seed', () => {
    const tell = (seed: number) => {
      const one = story(seed);
      one.fault('hang');
      one.until(60_000);
      return one.reports();
    };
    expect(tell(5)).toEqual(tell(5));
    expect(tell(5)).not.toEqual(tell(6));
  });
});

describe('its trade', () => {
  it('rests at night and is highest after work', () => {
    expect(tradeAt(3)).toBe(0);
    expect(tradeAt(12)).toBeGreaterThan(tradeAt(9));
    expect(tradeAt(17.5)).toBeGreaterThan(tradeAt(12));
    expect(Math.max(...Array.from({ length: 240 }, (_, at) => tradeAt(at / 10)))).toBe(1);
  });
});

describe('the simulator’s options', () => {
  it('have defaults, and every problem is said at once', () => {
    expect(readOptions([])).toMatchObject({
      ok: true,
      value: { terminals: 50, stores: 10, rate: 1, broker: { host: '127.0.0.1', port: 1883 } },
    });
    const wrong = readOptions(['--terminals', '0', '--rate', 'x', '--broker', 'y']);
    expect(wrong.ok ? '' : wrong.reason).toMatch(/--terminals: .*\n--rate: .*|--broker: /s);
    expect(wrong.ok ? [] : wrong.reason.split('\n')).toHaveLength(3);
  });
});
