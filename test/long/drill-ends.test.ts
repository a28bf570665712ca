// Drills that do not go as one expects, under a real agent with the shipped defaults: on a real component, on a till that
// is held or only observes, under an agent that is killed or asked to end in the middle, and from the centre. In a
// file of its own, so that it waits beside drill.test.ts and not after it.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import {
  drill,
  drilled,
  expectNothingLeft,
  guests,
  inRunDir,
  reportOf,
  till,
  tillwatch,
} from '../real/drill-rig.ts';
import { ask, status } from '../real/recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('stop on a real component', () => {
  it('waits while it is busy, and is not done at all when the agent ends first', async () => {
    const toiler = [process.execPath, resolve('test/real/agent-toiler.ts')];
    const pid = await till(rig, {}, { name: 'sale', command: toiler });
    const running = drill(rig, 'stop', '--component', 'sale', '--json');
    await new Promise((done) => setTimeout(done, 3_000));
    const view = await ask(rig)({ kind: 'drill_view' });
    expect(view).toMatchObject({ ok: true, value: { state: 'waiting', component: 'sale' } });
    expect(rig.copies('sale')).toEqual([pid]);
    expect(isAlive(pid)).toBe(true);
    // The agent ends: nothing was done, and nothing is.
    rig.agent?.kill('SIGTERM');
    const ran = await running;
    expect(ran.exit).not.toBe(0);
    expect(rig.copies('sale')).toEqual([pid]);
  });

  it('is found and restarted with its own budget', async () => {
    const pid = await till(rig);
    const report = await drilled(rig, 'stop', '--component', 'sale');
    expect(report).toMatchObject({ exit: 0, state: 'passed', component: 'sale', cause: 'hang' });
    expect(rig.copies('sale')).not.toEqual([pid]);
    expect((await status(rig)).components[0]?.left[0]?.times).toBe(4);
  });

  it('lets it go on where the till only observes', async () => {
    const pid = await till(rig, { mode: 'observe' });
    const report = await drilled(rig, 'stop', '--component', 'sale');
    expect(report).toMatchObject({ exit: 0, state: 'passed', passive: 'observe' });
    expect(report.verdict).toContain('would have done: restart for hang');
    expect(rig.copies('sale')).toEqual([pid]);
    await until('it runs again', () =>
      /\) [RS] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')),
    );
  });
});

it('a till that is held only says what it would have done', async () => {
  await till(rig);
  await ask(rig)({ kind: 'hold', forMs: 120_000 });
  const report = await drilled(rig, 'deadlock');
  expect(report).toMatchObject({ exit: 0, state: 'passed', passive: 'hold' });
  expect(report.phases.killed).toBeUndefined();
  expectNothingLeft(rig);
});

describe('an agent that is killed in the middle of a drill', () => {
  it('leaves what it made to the next one, which ends it and says so', async () => {
    await till(rig);
    const running = drill(rig, 'fork');
    await until('it has failed', () => existsSync(inRunDir(rig, 'drill.failed')));
    await until('its children are there', () => guests(rig).length > 190);
    writeFileSync(join(rig.folder, 'data', 'drill.ballast'), 'x');
    rig.agent?.kill('SIGKILL');
    expect((await running).exit).not.toBe(0);
    void rig.start();
    await until('it is said', () =>
      rig.log().some(({ message }) => message === 'an agent was ended in the middle of a drill'),
    );
    await until('nothing is left', () => guests(rig).length === 0);
    await status(rig);
    expectNothingLeft(rig);
    expect(existsSync(join(rig.folder, 'data', 'drill.ballast'))).toBe(false);
    expect(await drilled(rig, 'stop')).toMatchObject({ state: 'passed' });
  });

  it('leaves no real component stopped, even where the till only observes', async () => {
    const pid = await till(rig, { mode: 'observe' });
    const state = () => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
    const running = drill(rig, 'stop', '--component', 'sale');
    await until('it is stopped', () => state() === 'T');
    rig.agent?.kill('SIGKILL');
    await running;
    expect(state()).toBe('T');
    void rig.start();
    await until('it runs again', () => state() !== 'T');
    expect(rig.copies('sale')).toEqual([pid]);
  });
});

it('an agent that is asked to end in a drill ends it first', async () => {
  const sale = await till(rig);
  const running = drill(rig, 'deadlock');
  await until('it has failed', () => existsSync(inRunDir(rig, 'drill.failed')));
  const gone = new Promise((done) => rig.agent?.once('exit', done));
  rig.agent?.kill('SIGTERM');
  await gone;
  await running;
  expectNothingLeft(rig);
  expect(rig.copies('sale')).toEqual([sale]);
});

describe('from the centre', () => {
  let broker: ChildProcess | undefined;
  afterEach(async () => {
    const gone = new Promise((done) => broker?.once('exit', done));
    if (broker?.kill('SIGKILL')) await gone;
  });

  async function centre(): Promise<{ mqttPort: number; key: string; env: Record<string, string> }> {
    const dataDir = join(rig.folder, 'broker');
    mkdirSync(dataDir);
    const free = { host: '127.0.0.1', port: 0 };
    const file = join(rig.folder, 'broker.yaml');
    const terminals = [{ id: 'lane-1', store: 's-1' }];
    writeFileSync(file, stringify({ dataDir, plainText: true, mqtt: free, http: free, terminals }));
    const argv = [resolve('broker/main.ts'), '--config', file];
    broker = spawn(process.execPath, argv, { stdio: 'ignore' });
    const ready = join(dataDir, 'broker.json');
    await until('the broker is there', () => existsSync(ready));
    const { url, mqttPort } = JSON.parse(readFileSync(ready, 'utf8'));
    const text = (name: string) => readFileSync(join(dataDir, name), 'utf8').trim();
    const env = { TILLWATCH_URL: url, TILLWATCH_API_TOKEN: text('api-token') };
    return { mqttPort, key: text('command-key.pub'), env };
  }

  it('a drill is asked for, run, and told with its whole report; not where it is not allowed', async () => {
    const { mqttPort, key, env } = await centre();
    const linked = {
      broker: { plainText: true, host: '127.0.0.1', port: mqttPort },
      link: { reconnectMsMin: 100, reconnectMsMax: 500 },
      trust: { commandKeys: [key] },
      sampling: { everyMs: 500, sendMs: 1_000 },
    };
    await till(rig, linked);
    const words = ['drill', 'deadlock', '--terminal', 'lane-1'];
    expect(await tillwatch(env, ...words)).toMatchObject({ exit: 64 });
    const why = ['--reason', 'monthly drill'];
    const ran = await tillwatch(env, ...words, ...why, '--json');
    expect(reportOf(ran)).toMatchObject({ state: 'passed', fault: 'deadlock', cause: 'hang' });
    expect(ran.exit).toBe(0);
    const shown = await tillwatch(env, 'terminal', 'lane-1', '--json');
    const view = JSON.parse(shown.out);
    expect(view.openIncidents).toEqual([]);
    expect(view.components.map(({ name }: { name: string }) => name)).toEqual(['sale']);
    const listed = await tillwatch(env, 'events', '--kind', 'drill', '--json');
    expect(listed.out).toContain('"passed"');

    rig.agent?.kill('SIGKILL');
    await until('it is gone', () => rig.agent?.signalCode !== null);
    rig.configure([fault('sale')], linked);
    void rig.start();
    const refused = await tillwatch(env, ...words, ...why);
    expect(refused.exit).toBe(1);
    expect(refused.err).toContain('does not say drills: true');
  });
});
