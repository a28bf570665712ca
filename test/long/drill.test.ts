// Every drill under a real agent with the shipped defaults: what the watchdog did is what it must do, and nothing of
// the drill is left. Times are told and not judged, as in the drills themselves. Drills that end otherwise, on a real
// component and from the centre, are in drill-ends.test.ts.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, Rig, until } from '../real/agent-rig.ts';
import { drilled, expectNothingLeft, till } from '../real/drill-rig.ts';
import { status } from '../real/recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('a drill', () => {
  it.each(['hang', 'stop', 'deadlock', 'fork'])('%s: found, killed, ready again', async (name) => {
    const sale = await till(rig);
    const report = await drilled(rig, name);
    expect(report).toMatchObject({ exit: 0, state: 'passed', cause: 'hang' });
    const { confirmed, evidence, killed, started, ready } = report.phases;
    const inOrder = [confirmed, killed, started, ready].map((ms) => ms ?? Number.NaN);
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(evidence).toBeLessThanOrEqual(killed ?? 0);
    expect(report.evidence?.state).toBe({ hang: 'R', stop: 'T' }[name] ?? 'S');
    expect(report.budget).toEqual({ used: 1, of: 5 });
    if (name === 'fork') {
      expect(report.numbers['children']).toBe(200);
      expect(report.evidence?.processes).toBeGreaterThan(150);
    }
    expectNothingLeft(rig);
    expect(rig.copies('sale')).toEqual([sale]);
  });

  it('port-held: who escaped with the port is named, and the start waits for it', async () => {
    await till(rig);
    const report = await drilled(rig, 'port-held');
    expect(report).toMatchObject({ exit: 0, state: 'passed', cause: 'hang' });
    expect(report.leftBehind.held).toEqual([expect.stringMatching(/^port \d+$/)]);
    const line = report.steps.find(({ text }) => text.includes('is held by'))?.text ?? '';
    const pid = Number(/pid (\d+)/.exec(line)?.[1]);
    await until('it has gone by itself', () => !isAlive(pid));
    expectNothingLeft(rig);
  });

  it('leak: restarted at its ceiling, asked and not killed', async () => {
    await till(rig);
    const report = await drilled(rig, 'leak');
    expect(report).toMatchObject({ exit: 0, state: 'passed', cause: 'memory' });
    expect(report.phases.killed).toBeUndefined();
    expectNothingLeft(rig);
  });

  it('crash-loop: ends in quarantine, and every drill has a budget of its own', async () => {
    await till(rig);
    for (let times = 0; times < 2; times += 1) {
      const report = await drilled(rig, 'crash-loop');
      expect(report).toMatchObject({ exit: 0, state: 'passed', cause: 'crash' });
      expect(report.budget).toEqual({ used: 5, of: 5 });
      expectNothingLeft(rig);
    }
    expect((await status(rig)).components[0]?.left[0]?.times).toBe(5);
  });

  it('log-flood: prints on unharmed, and the disk keeps its bound', async () => {
    await till(rig);
    const report = await drilled(rig, 'log-flood');
    expect(report).toMatchObject({ exit: 0, state: 'passed', phases: {} });
    expect(report.numbers['printedBytes']).toBeGreaterThanOrEqual(150_000_000);
    expect(report.numbers['droppedBytes']).toBeGreaterThan(100_000_000);
    expectNothingLeft(rig);
  });
});
