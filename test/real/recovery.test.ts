// The recovery ladder under a real agent, with real processes and hooks: what is quick to see of it. Here the
// plan has nothing to wait for; the rest is in test/long.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, Rig } from './agent-rig.ts';
import {
  component,
  flaky,
  killAgent,
  linesOf,
  noting,
  quarantinedAfter,
  toldOnce,
} from './recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

const ONE_RESTART = { budget: { restarts: 1, retryMs: 300 } } as const;
const RUNG = { times: 1, coolDownMs: 0 } as const;

describe('a component whose restarts are spent', () => {
  it('gets its deep reset, by a hook that knows for whom; then it holds', async () => {
    const reset = { command: noting(rig, 'hooks', 'touch sale.cured; echo cleared'), ...RUNG };
    rig.configure([flaky(rig, 'sale', 99, { ...ONE_RESTART, cwd: rig.folder, reset })]);
    void rig.start();
    await toldOnce(rig, 'sale', 'recovery', { rung: 'reset' });
    const pid = await rig.ready('sale', 3);
    expect(linesOf(rig, 'hooks')).toEqual(['reset sale']);
    expect(rig.log().find((line) => line['hook'] === 'reset' && 'printed' in line)).toMatchObject({
      printed: ['cleared'],
    });
    expect(isAlive(pid)).toBe(true);
    const left = (await component(rig, 'sale')).left.find(({ rung }) => rung === 'reset');
    expect(left).toEqual({ rung: 'reset', times: 0, of: 1 });
  });
});

describe('a machine that may be rebooted', () => {
  const sale = () => flaky(rig, 'sale', 999, { budget: { restarts: 1 } });
  /** It is the machine of the tests that is up for longer than a minute. */
  const ladder = (more = 'true') => ({
    reboot: { command: noting(rig, 'reboots', more), uptimeMsMin: 60_000 },
  });
  const tokens = (): number => {
    try {
      const path = join(rig.folder, 'data', 'ladder.json');
      return (JSON.parse(readFileSync(path, 'utf8')) as { reboots: object[] }).reboots.length;
    } catch {
      return 0;
    }
  };

  it('is not rebooted again by the agent that follows one killed between token and hook', async () => {
    rig.configure([sale()], { ladder: ladder() });
    void rig.start();
    // Now or a moment later: with the hook begun or not, the next agent must not run it.
    while (tokens() === 0) await new Promise((done) => setTimeout(done, 1));
    const before = await killAgent(rig);
    const already = linesOf(rig, 'reboots').length;
    void rig.start();
    await quarantinedAfter(rig, before);
    expect([linesOf(rig, 'reboots').length, tokens()]).toEqual([already, 1]);
  });

  it('is not when the file that would know of it is damaged', async () => {
    rig.configure([sale()], { ladder: ladder() });
    mkdirSync(join(rig.folder, 'data'));
    writeFileSync(join(rig.folder, 'data', 'ladder.json'), '{"v":1,"reboots":[{');
    void rig.start();
    await quarantinedAfter(rig, 0);
    expect(
      rig
        .log()
        .map(({ message }) => message)
        .join(),
    ).toContain('no reboot for a day of uptime');
    expect(linesOf(rig, 'reboots')).toEqual([]);
  });
});
