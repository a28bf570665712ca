// Agents that die, come back, and meet each other: components keep running, there is one copy of each, and a
// second agent is refused. Also what ends components and what leaves them.

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, isAlive, Rig, until } from '../real/agent-rig.ts';
import { component } from '../real/recovery-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

const starts = () => rig.log().filter((line) => line.message === 'agent started');
const end = async (signal: NodeJS.Signals): Promise<void> => {
  const { agent } = rig;
  if (agent === undefined) throw new Error('no agent');
  const gone = new Promise((done) => agent.once('exit', done));
  agent.kill(signal);
  await gone;
};

describe('an agent that is killed', () => {
  it('leaves its components running; the next adopts them, one copy each, and heals them', async () => {
    rig.configure([fault('hardware'), fault('sale', [], { after: ['hardware'] })]);
    void rig.start();
    const hardware = await rig.ready('hardware');
    const sale = await rig.ready('sale');
    await end('SIGKILL');
    expect([isAlive(hardware), isAlive(sale)]).toEqual([true, true]);

    void rig.start();
    const second = await until('the next agent is there', () => starts()[1]);
    expect(second['adopted']).toEqual(['hardware', 'sale']);
    // Longer than any deadline: adopted components must not look hung because their agent was away.
    await new Promise((done) => setTimeout(done, 5_000));
    expect(rig.copies('hardware')).toEqual([hardware]);
    expect(rig.copies('sale')).toEqual([sale]);
    expect(rig.log().filter((line) => line.message.includes('incident'))).toEqual([]);

    // It hears of the death of a process that is not its child.
    process.kill(hardware, 'SIGKILL');
    const { opened } = await rig.healed('hardware');
    expect(opened['cause']).toBe('crash');
    process.kill(sale, 'SIGSTOP');
    expect((await rig.healed('sale')).opened['cause']).toBe('hang');
    await until('one copy each', () => rig.copies('hardware').length === 1);
    expect(rig.copies('sale')).toHaveLength(1);
  });

  it('and whose component dies meanwhile: the next agent starts it again and says so', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    const pid = await rig.ready('sale');
    await end('SIGKILL');
    process.kill(pid, 'SIGKILL');
    void rig.start();
    const { opened } = await rig.healed('sale');
    expect(opened['cause']).toBe('crash');
    expect(rig.copies('sale')).toHaveLength(1);
  });
});

describe('a component that runs on while a new version of it is configured', () => {
  it('is told with the version that runs, until it is started anew', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    const pid = await rig.ready('sale');
    rig.agent?.kill('SIGKILL');
    await until('the agent is gone', () => rig.agent?.signalCode === 'SIGKILL');
    rig.configure([fault('sale', [], { version: '2.0.0' })]);
    void rig.start();
    await rig.ready('sale', 2);
    expect((await component(rig, 'sale')).version).toBe('1.0.0');
    process.kill(pid, 'SIGKILL');
    await rig.ready('sale', 3);
    expect((await component(rig, 'sale')).version).toBe('2.0.0');
    // The failure was the old version's, what began after it is the new one.
    const events = rig.lines('sale').map((line) => [line.message, line['version']]);
    expect(events).toContainEqual([expect.stringContaining('incident opened'), '1.0.0']);
  });
});

describe('a component that is renamed or taken out of the configuration', () => {
  it('is ended by the next agent before another takes its place', async () => {
    rig.configure([fault('till', ['--setsid-child'])]);
    void rig.start();
    const pid = await rig.ready('till');
    const before = rig.marked();
    await end('SIGTERM');
    rig.configure([fault('sale')]);
    void rig.start();
    await rig.ready('sale');
    expect(isAlive(pid)).toBe(false);
    expect(before.filter(isAlive)).toEqual([]);
    const told = rig.log().filter((line) => line.message.includes('till is no longer configured'));
    expect(told).toHaveLength(1);
  });
});

describe('a component that ends for good', () => {
  const starts = () => rig.log().filter((line) => line.message.startsWith('once started')).length;
  const once = (version: string) =>
    fault('once', ['--run-ms', '1000', '--exit', '0'], { restart: 'transient', version });

  it('is left so by every later agent, whether its end was seen or not, until its version changes', async () => {
    rig.configure([once('1')]);
    void rig.start();
    await until('it has ended', () => rig.lines('once').at(-1)?.to === 'stopped');
    await end('SIGTERM');
    void rig.start();
    await until('the second agent looks on', () => rig.copies('once').length === 0);
    await new Promise((done) => setTimeout(done, 1_500));
    expect(starts()).toBe(1);
    await end('SIGKILL');

    rig.configure([once('2')]);
    void rig.start();
    await until('its new version runs', () => starts() === 2);
    await end('SIGKILL');
    await until('it ends unseen', () => rig.copies('once').length === 0);
    void rig.start();
    await new Promise((done) => setTimeout(done, 1_500));
    expect(starts()).toBe(2);
  });

  it('because it was asked to, by an agent that was killed meanwhile, is started again', async () => {
    const script = 'trap "sleep 1; exit 0" TERM; while :; do sleep 0.1; done';
    const command = ['/bin/sh', '-c', script];
    rig.configure([{ name: 'once', command, channel: false, restart: 'transient' }]);
    void rig.start();
    const pid = await rig.ready('once');
    rig.agent?.kill('SIGINT');
    await until('it is asked', () => rig.log().some((l) => l.message.includes('asked to stop')));
    await end('SIGKILL');
    void rig.start();
    expect(await rig.ready('once', 2)).not.toBe(pid);
    expect(rig.log().filter((line) => line.message.includes('incident'))).toEqual([]);
    await until('one copy', () => !isAlive(pid));
  });
});

describe('an agent that ends', () => {
  it('by SIGTERM leaves its components, which the next one adopts', async () => {
    rig.configure([fault('sale')]);
    const ended = rig.start();
    const pid = await rig.ready('sale');
    rig.agent?.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    expect(isAlive(pid)).toBe(true);
    void rig.start();
    await until('it is adopted', () => starts()[1]?.['adopted'] !== undefined);
    expect(rig.copies('sale')).toEqual([pid]);
  });

  it('by SIGINT ends its components in reverse order, also one that does not want to', async () => {
    rig.configure([
      fault('hardware'),
      fault('sale', ['--ignore-term'], { after: ['hardware'], stop: { graceMs: 500 } }),
    ]);
    const ended = rig.start();
    await rig.ready('hardware');
    await rig.ready('sale');
    rig.agent?.kill('SIGINT');
    expect(await ended).toEqual({ code: 0, stderr: '' });
    expect(rig.marked()).toEqual([]);
    const stopped = rig.log().filter((line) => line.to === 'stopped');
    expect(stopped.map((line) => line.component)).toEqual(['sale', 'hardware']);
  });

  it('with its parent, when it is configured to end its components', async () => {
    rig.configure([fault('sale')], { onExit: 'stop' });
    const main = resolve('agent/main.ts');
    const script = '"$0" "$1" --config "$2" & echo $!; wait';
    const shell = spawn('sh', ['-c', script, process.execPath, main, rig.file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const agentPid = await new Promise<number>((done) => {
      shell.stdout.once('data', (chunk) => done(Number(String(chunk))));
    });
    const pid = await rig.ready('sale');
    shell.kill('SIGKILL');
    await until('agent and component are gone', () => !isAlive(agentPid) && !isAlive(pid));
    expect(rig.log().some((line) => line.message.includes('parent process is gone'))).toBe(true);
    expect(rig.marked()).toEqual([]);
  });
});

describe('an agent that cannot run', () => {
  it('because another has the folder says so, and touches nothing', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    const pid = await rig.ready('sale');
    const first = rig.agent;
    const refused = await rig.start();
    expect(refused.code).toBe(69);
    expect(refused.stderr).toBe(
      `agent: another agent (pid ${first?.pid}) already runs with run directory ${rig.folder}/run\n`,
    );
    rig.agent = first;
    expect(rig.copies('sale')).toEqual([pid]);
    expect(starts()).toHaveLength(1);
  });

  it('because its configuration is wrong tells every problem and ends with 64', async () => {
    rig.configure([fault('Sale'), fault('sync', [], { after: ['oven'], beatMs: 'often' })]);
    const { code, stderr } = await rig.start();
    expect(code).toBe(64);
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^components\[0\]\.name: use 1 to 32 of a-z/);
    expect(lines[1]).toMatch(/^components\[1\]\.beatMs: must be a whole number of milliseconds/);
    expect(lines[2]).toMatch(/^components\[1\]\.after\[0\]: no component is called "oven"/);
  });

  it('because there is no configuration says so and ends with 64', async () => {
    const missing = await rig.start();
    expect(missing.code).toBe(64);
    expect(missing.stderr).toMatch(/^agent: cannot read the configuration: ENOENT/);
  });
});
