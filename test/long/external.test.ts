// Hangs of programs that something else starts, with the shipped defaults and a whole agent: found, killed, started
// again by whoever keeps them, and ready, without a second copy. The two examples in deploy/ are what runs here.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Rig, until } from '../real/agent-rig.ts';
import { FAULT, freePort, isRunning, Outside, pause } from '../real/external-rig.ts';

let rig: Rig;
let outside: Outside;
let path: string | undefined;
beforeEach(() => {
  rig = new Rig();
  outside = new Outside();
  path = process.env['PATH'];
  // Whose systemctl is found is all that tells this machine from one with systemd.
  process.env['PATH'] = `${outside.bin}:${path}`;
});
afterEach(async () => {
  process.env['PATH'] = path;
  await rig.clean();
  await outside.clean();
});

async function watch(example: string, probes?: readonly object[]): Promise<string> {
  const port = await freePort();
  const yaml = outside.example(example).replaceAll(':8090', `:${port}`);
  const [component] = parse(yaml).components;
  rig.configure([{ ...component, ...(probes === undefined ? {} : { probes }) }]);
  return `"${process.execPath}" "${FAULT}" --port ${port}`;
}

describe('a program that a kiosk keeps', () => {
  it('is stopped by a signal: killed, started by its kiosk, ready', async () => {
    outside.kiosk(await watch('external-kiosk.yaml'));
    void rig.start();
    const first = await rig.ready('front');
    process.kill(first, 'SIGSTOP');
    const { opened } = await rig.healed('front');
    expect(opened.cause).toMatch(/^(hang|unresponsive)$/);
    expect(await rig.ready('front', 2)).toBe(outside.lives()[1]);
    expect(outside.lives()).toHaveLength(2);
    expect(isRunning(first)).toBe(false);
  });

  it('answers while it does no work: a worker may lie, what it should print may not', async () => {
    const health = join(outside.folder, 'health');
    const flag = join(outside.folder, 'stuck');
    const line = await watch('external-kiosk.yaml', [
      { kind: 'log', path: health, expect: '^sold', silenceMs: 2_000 },
    ]);
    const program = join(outside.folder, 'program');
    const work = `while :; do [ -e "${flag}" ] || echo "sold 1" >>"${health}"; sleep 0.2; done`;
    writeFileSync(program, `${line} & trap "kill $!" EXIT\n${work}\n`);
    outside.kiosk(`sh "${program}"`);
    void rig.start();
    const first = await rig.ready('front');
    writeFileSync(flag, '');
    await until('it is gone', () => !isRunning(first));
    rmSync(flag);
    const { opened } = await rig.healed('front');
    expect(opened).toMatchObject({ cause: 'unresponsive' });
    expect(await rig.ready('front', 2)).toBe(outside.lives()[1]);
    expect(outside.lives()).toHaveLength(2);
  });
});

describe('a systemd unit', () => {
  it('is started, its main thread blocks, it is killed, comes back by itself, and ends as asked', async () => {
    const line = await watch('external-systemd.yaml');
    const flag = join(outside.folder, 'hung');
    const hang = '--mode block --hang-after-ms 2000';
    outside.program(`sh -c '[ -e "${flag}" ] && exec ${line}; : >"${flag}"; exec ${line} ${hang}'`);
    const ended = rig.start();
    const first = await rig.ready('front');
    const { opened } = await rig.healed('front');
    expect(opened.cause).toMatch(/^(hang|unresponsive)$/);
    const second = await rig.ready('front', 2);
    expect(outside.lives()).toEqual([first, second]);
    // The unit was quicker than we: it was not started by us a second time.
    expect(outside.calls()).toEqual(['started']);
    rig.agent?.kill('SIGINT');
    await ended;
    expect(outside.calls()).toEqual(['started', 'stopped']);
    await pause(500);
    expect(outside.lives()).toHaveLength(2);
    expect(existsSync(join(outside.unit, 'pid')) && isRunning(second)).toBe(false);
    expect(readFileSync(join(outside.unit, 'lives'), 'utf8').trim().split('\n')).toHaveLength(2);
  });
});
