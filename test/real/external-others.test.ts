// What an external component's pid source must never be believed in: that a process which the agent watches under another
// name, or a thread of some process, is it. A wrong line in a pid command would else kill the till that works.

import { readdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPid } from '../../agent/watchdog/external-pid.ts';
import { isRunning, Outside, ports } from './external-rig.ts';

let outside: Outside;
beforeEach(() => {
  outside = new Outside();
});
afterEach(() => outside.clean());

const configuration = ({ folder, pidFile }: Outside): string => `
terminal: lane-1
dataDir: ${JSON.stringify(`${folder}/data`)}
runDir: ${JSON.stringify(`${folder}/run`)}
broker: { plainText: true, host: 127.0.0.1, port: 1 }
components:
  - { name: sale, version: '1', command: [sleep, '1000'] }
  - { name: front, version: '1', run: external, external: { pid: { file: ${JSON.stringify(pidFile)} } } }
  - { name: back, version: '1', run: external, external: { pid: { file: ${JSON.stringify(pidFile)} } } }
`;

describe('a pid that is', () => {
  const spec = (component: string) => ({
    ...{ component, instance: `${component}-1`, token: 't', command: ['sleep', '1000'] },
    ...{ env: { PATH: process.env['PATH'] ?? '' }, logFile: `${outside.folder}/${component}.log` },
  });
  const ignore = (): void => undefined;

  it('that of another component, or of its shim, is refused and outlives everything', async () => {
    const control = outside.control(configuration(outside));
    const sale = await control.spawn(spec('sale'), ignore);
    if (!sale.ok) throw new Error(sale.reason);
    try {
      for (const pid of [sale.value.pid, sale.value.shimPid]) {
        writeFileSync(outside.pidFile, `${pid}\n`);
        const spawned = control.spawn(spec('front'), ignore);
        control.abandon('front');
        const front = await spawned;
        if (front.ok) await control.killTree(front.value);
        expect(isRunning(pid)).toBe(true);
        expect(front).toEqual({
          ok: false,
          reason: `cannot tell whether it runs: its pid ${pid} is that of sale`,
        });
        expect(await control.adopt('front', ignore)).toBeUndefined();
      }
    } finally {
      await control.killTree(sale.value);
    }
  });

  it('that of another external component is refused, and its own is found again', async () => {
    const control = outside.control(configuration(outside));
    outside.kiosk('sleep 1000');
    const [pid = 0] = await until(() => outside.lives());
    writeFileSync(outside.pidFile, `${pid}\n`);
    const front = await control.spawn(spec('front'), ignore);
    expect(front).toMatchObject({ ok: true, value: { pid } });
    const spawned = control.spawn(spec('back'), ignore);
    control.abandon('back');
    expect(await spawned).toMatchObject({ ok: false, reason: expect.stringContaining('of front') });
    const later = outside.control(configuration(outside));
    expect(await later.adopt('front', ignore)).toMatchObject({ life: { pid } });
  });

  it('that of a thread is refused: a signal to it would be one to its whole process', async () => {
    const threads = readdirSync('/proc/self/task').map(Number);
    const thread = threads.find((id) => id !== process.pid) ?? 0;
    expect(thread).toBeGreaterThan(0);
    writeFileSync(outside.pidFile, `${thread}\n`);
    const context = { cwd: undefined, env: {} };
    expect(await findPid(ports, { file: outside.pidFile }, context)).toEqual({
      kind: 'unknown',
      reason: `its pid ${thread} is a thread of ${process.pid}`,
    });
  });
});

async function until(look: () => number[]): Promise<number[]> {
  for (let n = 0; n < 500 && look().length === 0; n += 1) {
    await new Promise((done) => setTimeout(done, 10));
  }
  return look();
}
