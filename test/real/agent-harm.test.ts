// What a bad disk, a cleaner of folders and a careless reader do to an agent: it goes on, and what it watches
// is still started, healed and ended.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, isAlive, Rig, until } from './agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('an agent goes on', () => {
  it('when whoever read its stderr is gone', async () => {
    const flapping = { backoff: { minMs: 50, maxMs: 50 }, budget: { restarts: 100 } };
    rig.configure([fault('flap', ['--run-ms', '100', '--exit', '1'], flapping), fault('sale')]);
    const agent = spawn(process.execPath, [resolve('agent/main.ts'), '--config', rig.file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TILLWATCH_LOG: 'stderr' },
    });
    rig.agent = agent;
    await once(agent.stderr, 'data');
    agent.stderr.destroy();
    const pid = await rig.ready('sale');
    process.kill(pid, 'SIGKILL');
    await rig.ready('sale', 2);
    expect(agent.exitCode).toBe(null);
  });

  it('and starts its components where their output cannot be written, and says so', async () => {
    rig.configure([fault('sale')], { logDir: 'taken' });
    writeFileSync(join(rig.folder, 'taken'), 'a file where the folder should be');
    void rig.start();
    const pid = await rig.ready('sale');
    process.kill(pid, 'SIGKILL');
    await rig.ready('sale', 2);
    const said = rig.log().filter((line) => line.message.includes('its output is not kept'));
    expect(said.length).toBeGreaterThan(0);
  });

  it('when its run directory is swept away: a component that dies comes back, children and all', async () => {
    rig.configure([fault('sale', ['--fork', '1', '--setsid-child'])]);
    void rig.start();
    const pid = await rig.ready('sale');
    rmSync(join(rig.folder, 'run'), { recursive: true });
    const first = rig.marked();
    process.kill(pid, 'SIGKILL');
    const next = await rig.ready('sale', 2);
    await until('nothing of its first life is left', () => !first.some(isAlive));
    // The socket is there again, so that it is watched as before.
    process.kill(next, 'SIGSTOP');
    await rig.ready('sale', 3);
    const failures = rig.log().filter((line) => line.message.includes('incident opened'));
    expect(failures.map((line) => line['cause'])).toEqual(['crash', 'hang']);
  });

  it('and does not let a component fill the disk with what it prints', async () => {
    const print = 'head -c 30000000 /dev/zero; exec sleep 1000';
    rig.configure([{ name: 'loud', command: ['/bin/sh', '-c', print], channel: false }]);
    void rig.start();
    await rig.ready('loud');
    const folder = join(rig.folder, 'data', 'logs', 'loud');
    // Its size stays: what is freed is the disk under it.
    const bytes = () =>
      readdirSync(folder).map((name) => statSync(join(folder, name)).blocks * 512);
    await until('it is freed', () => bytes().every((taken) => taken < 11_000_000), 8_000);
  });
});
