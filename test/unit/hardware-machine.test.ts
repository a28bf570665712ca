// A device's life cycle, what is made of each look at it, and the recovery ladder: all pure.

import { describe, expect, it } from 'vitest';
import { FAULTS, type Fault, LADDERS, rungAt } from '../../terminal/hardware/device/ladder.ts';
import {
  codeOf,
  type Event,
  initialModel,
  type Look,
  type Model,
  mayWorkBlindly,
  powerOf,
  RESTART_EARNED_MS,
  stateOf,
  step,
} from '../../terminal/hardware/device/machine.ts';

const run = (model: Model, ...events: Event[]): Model =>
  events.reduce((current, event) => step(current, event, 0).model, model);
const enabled = run(initialModel, { kind: 'open' }, { kind: 'claim' }, { kind: 'enable' });
const see = (model: Model, look: Look, nowMs = 0) => step(model, { kind: 'looked', look }, nowMs);
const failing = (fault: Fault): Look => ({ kind: 'probe', fault });

/** The rungs of a device that stays away. */
function climb(fault: Fault, looks: number, wellForMs: number): string[] {
  let model = see(enabled, { kind: 'well' }, 0).model;
  model = see(model, { kind: 'well' }, wellForMs).model;
  return Array.from({ length: looks }, () => {
    const stepped = see(model, failing(fault), wellForMs);
    model = stepped.model;
    return stepped.action?.rung ?? '';
  });
}

describe('a device', () => {
  it('is opened, claimed and enabled in this order and refuses any other', () => {
    expect(step(initialModel, { kind: 'claim' }, 0).refused).toBe('E_CLOSED');
    const opened = run(initialModel, { kind: 'open' });
    expect(step(opened, { kind: 'enable' }, 0).refused).toBe('E_NOTCLAIMED');
    expect(see(run(opened, { kind: 'claim' }), { kind: 'well' }).refused).toBe('E_DISABLED');
    expect([initialModel, opened, enabled].map(stateOf)).toEqual(['CLOSED', 'IDLE', 'IDLE']);
    expect(run(enabled, { kind: 'release' })).toMatchObject({ claimed: false, enabled: false });
    expect(run(enabled, { kind: 'close' })).toEqual(initialModel);
  });

  it('keeps what it says, what could not be asked and what nobody knows apart', () => {
    const said = see(enabled, { kind: 'device', code: 'EPTR_REC_EMPTY' });
    expect([stateOf(said.model), powerOf(said.model)]).toEqual(['ERROR', 'OFFLINE']);
    // A human is needed: there is nothing to recover.
    expect(said.action).toBeUndefined();
    const unasked = see(enabled, failing('silent'));
    expect([codeOf(unasked.model), powerOf(unasked.model)]).toEqual(['E_TIMEOUT', 'OFF_OFFLINE']);
    expect(unasked.action?.rung).toBe('probe');
    const unknown = see(enabled, { kind: 'unknown' });
    expect([stateOf(unknown.model), powerOf(unknown.model)]).toEqual(['IDLE', 'UNKNOWN']);
    expect(codeOf(unknown.model)).toBeUndefined();
    expect(powerOf(see(enabled, failing('claimed')).model)).toBe('UNKNOWN');
  });

  it('tells a change once, not each time that it is seen', () => {
    const first = see(enabled, { kind: 'device', code: 'EPTR_COVER_OPEN' });
    expect(first.changed).toEqual({ from: undefined, to: 'EPTR_COVER_OPEN' });
    const again = see(first.model, { kind: 'device', code: 'EPTR_COVER_OPEN' });
    expect(again.changed).toBeUndefined();
    expect(see(again.model, { kind: 'well' }).changed).toEqual({
      from: 'EPTR_COVER_OPEN',
      to: undefined,
    });
  });
});

describe('the recovery ladder', () => {
  it('goes from a probe to clearing, reopening and one request for a restart', () => {
    expect(climb('silent', 10, RESTART_EARNED_MS)).toEqual([
      ...['probe', 'probe', 'clear', 'reopen', 'reopen', 'reopen', 'reopen'],
      ...['restart', 'reopen', 'reopen'],
    ]);
  });

  it('asks for no restart when the last one did not help, nor for one that cannot help', () => {
    expect(climb('silent', 50, RESTART_EARNED_MS - 1)).not.toContain('restart');
    for (const fault of ['wedged', 'garbage'] as const) {
      expect(climb(fault, 100, 10 * RESTART_EARNED_MS)).not.toContain('restart');
    }
  });

  it('never ends, and never pauses for longer than a minute', () => {
    for (const fault of FAULTS) {
      const { step: last } = rungAt(fault, 10_000);
      expect(['reopen', 'clear']).toContain(last.rung);
      for (const one of LADDERS[fault]) expect(one.pauseMsMax).toBeLessThanOrEqual(60_000);
    }
  });

  it('begins anew when the fault is another one or the device was well in between', () => {
    let model = enabled;
    for (let look = 0; look < 5; look += 1) model = see(model, failing('silent')).model;
    expect(mayWorkBlindly(model)).toBe(true);
    expect(see(model, failing('garbage')).action?.rung).toBe('probe');
    const well = see(model, { kind: 'well' }).model;
    expect(mayWorkBlindly(well)).toBe(false);
    expect(see(well, failing('silent')).action?.rung).toBe('probe');
  });
});
