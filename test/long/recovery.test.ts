// The recovery ladder under a real agent where it takes its time: the plan waits until components have said what they
// are busy with, a hang is proven, a hold ends. Each rung is used when the one below it is spent, in order, once;
// and what a rung must leave alone is left alone.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import {
  ask,
  component,
  course,
  flaky,
  killAgent,
  linesOf,
  noting,
  quarantinedAfter,
  status,
  told,
  toldOnce,
} from '../real/recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

const ONE_RESTART = { budget: { restarts: 1, retryMs: 300 } } as const;
const RUNG = { times: 1, coolDownMs: 0 } as const;

describe('a component whose restarts are spent', () => {
  it('is restarted with its active dependants: they stop before it and start after it', async () => {
    const sale = fault('sale', [], { after: ['hardware'] });
    const ended = fault('setup', ['--run-ms', '50'], { after: ['hardware'], restart: 'temporary' });
    const display = fault('display', [], { after: ['sale'] });
    rig.configure([
      // Its first life lives until everybody has started.
      flaky(rig, 'hardware', 0, ONE_RESTART),
      ...[sale, ended, display, fault('apart')],
    ]);
    void rig.start();
    const first = await rig.ready('hardware');
    const [apart, before] = [await rig.ready('apart'), await rig.ready('display')];
    await until('setup has ended', () => course(rig, 'setup').includes('stopped'));
    process.kill(first, 'SIGKILL');
    process.kill(await rig.ready('hardware', 2), 'SIGKILL');
    await rig.ready('display', 2);
    expect(told(rig, 'hardware', 'recovery').map(({ rung }) => rung)).toContain('dependants');
    const words = [
      'display stopped',
      'sale stopped',
      'hardware ready',
      'sale ready',
      'display ready',
    ];
    const since = rig.log().findIndex(({ rung }) => rung === 'dependants');
    const story = rig
      .log()
      .slice(since)
      .map((line) => `${line.component} ${line.to}`)
      .filter((word) => words.includes(word));
    expect(story).toEqual(words);
    expect(rig.copies('apart')).toEqual([apart]);
    expect(isAlive(before)).toBe(false);
    expect(course(rig, 'setup').filter((to) => to === 'starting')).toHaveLength(1);
    expect((await status(rig)).operation).toBeUndefined();
  });

  it('has everything restarted when its dependants did not help', async () => {
    const after = { after: ['hardware'] };
    const ladder = { dependants: RUNG, all: RUNG };
    rig.configure(
      [flaky(rig, 'hardware', 3, ONE_RESTART), fault('sale', [], after), fault('apart')],
      { ladder },
    );
    void rig.start();
    const apart = await rig.ready('apart');
    await rig.ready('hardware', 4);
    await rig.ready('apart', 2);
    await rig.ready('sale', 2);
    const rungs = told(rig, 'hardware', 'recovery').map(({ rung }) => rung);
    expect(rungs).toEqual(['restart', 'dependants', 'all']);
    expect(isAlive(apart)).toBe(false);
    // A process that has only just begun shows its environment a moment later.
    for (const name of ['hardware', 'sale', 'apart']) {
      await until(`one copy of ${name}`, () => rig.copies(name).length === 1);
    }
  });

  it('is in quarantine where there is no other rung, tried slowly for ever, and left when it holds', async () => {
    rig.configure([flaky(rig, 'sale', 4, ONE_RESTART)]);
    void rig.start();
    const line = await until('it is given to a human', () =>
      rig.lines('sale').find(({ to }) => to === 'quarantined'),
    );
    expect(line.level).toBe('warn');
    await rig.ready('sale', 5);
    expect(course(rig, 'sale').filter((to) => to === 'quarantined').length).toBeGreaterThan(1);
    // It was ready for a moment each time: told again, and always the same incident.
    const incidents = told(rig, 'sale', 'incident_quarantined').map(({ incident }) => incident);
    expect(new Set(incidents).size).toBe(1);
    expect((await component(rig, 'sale')).state).toBe('ready');
  });
});

describe('an agent that is killed in the middle of a recovery', () => {
  it('leaves those whom it had stopped to the next one, which starts them again', async () => {
    const after = { after: ['hardware'] };
    // Started again it takes its time: that is when the agent is killed.
    const slow = ['--slow-start-ms', '3000'];
    rig.configure([
      flaky(rig, 'hardware', 0, ONE_RESTART, slow),
      fault('sale', [], { ...after, restart: 'transient' }),
      fault('apart'),
    ]);
    void rig.start();
    const first = await rig.ready('hardware');
    await rig.ready('sale');
    process.kill(first, 'SIGKILL');
    process.kill(await rig.ready('hardware', 2), 'SIGKILL');
    await until('sale was stopped for it', () => course(rig, 'sale').at(-1) === 'stopped');
    expect(linesOf(rig, 'run/recovery.json').join('')).toContain('"sale"');
    rig.agent?.kill('SIGKILL');
    await until('the agent is gone', () => rig.agent?.signalCode === 'SIGKILL');
    void rig.start();
    await rig.ready('sale', 2);
    expect((await status(rig)).components.map(({ state }) => state)).toEqual(
      Array(3).fill('ready'),
    );
    for (const name of ['hardware', 'sale', 'apart']) expect(rig.copies(name)).toHaveLength(1);
    await until('nothing is under way', () => linesOf(rig, 'run/recovery.json').length === 0);
  });
});

describe('a machine that may be rebooted', () => {
  const sale = () => flaky(rig, 'sale', 999, { budget: { restarts: 1 } });
  /** It is the machine of the tests that is up for longer than a minute. */
  const ladder = (more = 'true') => ({
    reboot: { command: noting(rig, 'reboots', more), uptimeMsMin: 60_000 },
  });

  it('is, once, with the token on disk before; the next agent does not do it again', async () => {
    const copy = `cp '${rig.folder}/data/ladder.json' '${rig.folder}/token.json'`;
    rig.configure([sale()], { ladder: ladder(copy) });
    void rig.start();
    await until('the hook has run', () => linesOf(rig, 'token.json').length > 0);
    expect(linesOf(rig, 'reboots')).toEqual(['reboot']);
    const token = JSON.parse(linesOf(rig, 'token.json').join('')) as { reboots: object[] };
    expect(token.reboots).toMatchObject([{ component: 'sale' }]);
    const before = await killAgent(rig);
    void rig.start();
    await quarantinedAfter(rig, before);
    expect(linesOf(rig, 'reboots')).toEqual(['reboot']);
  });
});

describe('a till that is held', () => {
  it('is not acted on, explains what it would do, and is healed when the hold ends by itself', async () => {
    rig.configure([fault('sale'), fault('sync')]);
    void rig.start();
    const [sale, sync] = [await rig.ready('sale'), await rig.ready('sync')];
    const held = await ask(rig)({
      kind: 'hold',
      forMs: 20_000,
      reason: 'new printer',
      by: 'maria',
    });
    expect(held).toMatchObject({ ok: true, value: { by: 'maria' } });
    process.kill(sale, 'SIGSTOP');
    const suppressed = await toldOnce(rig, 'sale', 'recovery_suppressed');
    expect(suppressed).toMatchObject({ by: 'hold', rung: 'restart', cause: 'hang' });
    // The next agent goes on with what is left of the hold.
    rig.agent?.kill('SIGKILL');
    await until('the agent is gone', () => rig.agent?.signalCode === 'SIGKILL');
    void rig.start();
    await rig.ready('sync', 2);
    expect((await status(rig)).hold).toMatchObject({ by: 'maria', reason: 'new printer' });
    await sleep(3_000);
    expect([isAlive(sale), isAlive(sync)]).toEqual([true, true]);
    // A crash is put right all the same.
    process.kill(sync, 'SIGKILL');
    await rig.ready('sync', 3);
    expect((await status(rig)).hold).toBeDefined();
    expect(isAlive(sale)).toBe(true);
    const next = await rig.ready('sale', 3);
    expect(isAlive(sale)).toBe(false);
    expect(rig.copies('sale')).toEqual([next]);
    expect((await status(rig)).hold).toBeUndefined();
    expect(rig.log().some(({ message }) => message === 'the till is no longer held')).toBe(true);
  });
});

describe('a component that is only observed', () => {
  it('is explained once and not touched, also when it hangs for long; a crash is put right', async () => {
    rig.configure([fault('sale', [], { mode: 'observe' })], { sampling: { everyMs: 500 } });
    void rig.start();
    const pid = await rig.ready('sale');
    process.kill(pid, 'SIGSTOP');
    const first = await toldOnce(rig, 'sale', 'recovery_suppressed');
    expect(first).toMatchObject({ by: 'observe', rung: 'restart', cause: 'hang' });
    await sleep(8_000);
    expect(told(rig, 'sale', 'recovery_suppressed')).toHaveLength(1);
    expect(told(rig, 'sale', 'recovery')).toEqual([]);
    expect(isAlive(pid)).toBe(true);
    expect(await component(rig, 'sale')).toMatchObject({ mode: 'observe', state: 'suspect' });
    process.kill(pid, 'SIGCONT');
    await until('it is well again', () => course(rig, 'sale').at(-1) === 'ready');
    process.kill(pid, 'SIGKILL');
    const next = await until('it was started again', () =>
      rig.copies('sale').find((copy) => copy !== pid),
    );
    expect(isAlive(next)).toBe(true);
    const counted = JSON.parse(
      await until('it is counted', () => {
        const text = readFileSync(join(rig.folder, 'data', 'restarts.json'), 'utf8');
        return text.includes('restart hang') && text;
      }),
    ) as { components: Record<string, { ladder: object }> };
    expect(counted.components['sale']?.ladder).toMatchObject({ suppressed: { 'restart hang': 1 } });
  });
});

describe('a component that can heal itself', () => {
  it('is asked to by its hook before it is killed, and lives on when that helps', async () => {
    const command = noting(rig, 'hooks', 'kill -CONT $TILLWATCH_PID');
    rig.configure([fault('sale', [], { heal: { command } })]);
    void rig.start();
    const pid = await rig.ready('sale');
    process.kill(pid, 'SIGSTOP');
    await until('the hook ran', () => linesOf(rig, 'hooks').length > 0);
    await until('it is well again', () => course(rig, 'sale').at(-1) === 'ready');
    await sleep(2_000);
    expect(linesOf(rig, 'hooks')).toEqual(['heal sale']);
    expect([isAlive(pid), rig.copies('sale')]).toEqual([true, [pid]]);
    expect(told(rig, 'sale', 'recovery').map(({ rung }) => rung)).toEqual(['heal']);
  });

  it('is killed when it does not help, or does not end in time', async () => {
    const hook = (more: string) => ({ command: noting(rig, 'hooks', more), timeoutMs: 500 });
    rig.configure([
      fault('sale', [], { heal: hook('exit 1') }),
      fault('sync', [], { heal: hook('sleep 1000') }),
    ]);
    void rig.start();
    const pids = [await rig.ready('sale'), await rig.ready('sync')];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    await rig.ready('sale', 2);
    await rig.ready('sync', 2);
    expect(linesOf(rig, 'hooks').toSorted()).toEqual(['heal sale', 'heal sync']);
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});
