// A whole agent beside a kiosk's script that keeps a program of its own: what crashes there is seen, counted and
// taken over, and never started twice. Hangs of such programs are in test/long/external.test.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Rig, until } from './agent-rig.ts';
import { isRunning, Outside } from './external-rig.ts';

let rig: Rig;
let outside: Outside;
beforeEach(() => {
  rig = new Rig();
  outside = new Outside();
});
afterEach(async () => {
  await rig.clean();
  await outside.clean();
});

it('a program that a kiosk keeps crashes, and is taken over as a new life', async () => {
  const health = join(outside.folder, 'health');
  const program = join(outside.folder, 'program');
  writeFileSync(program, `while :; do echo tick >>"${health}"; sleep 0.1; done\n`);
  const [component] = parse(outside.example('external-kiosk.yaml')).components;
  const probes = [{ kind: 'log', path: health, expect: 'tick', silenceMs: 5_000, everyMs: 200 }];
  rig.configure([{ ...component, probes, backoff: { minMs: 50, maxMs: 100, stableMs: 1_000 } }]);
  void rig.start();
  await until('it waits for its program', () =>
    rig.lines('front').some(({ message }) => message.includes('stopped -> starting')),
  );
  outside.kiosk(`sh "${program}"`);
  const first = await rig.ready('front');
  expect([first]).toEqual(outside.lives());
  process.kill(first, 'SIGSEGV');
  const { opened } = await rig.healed('front');
  expect(opened.cause).toBe('crash');
  expect(await rig.ready('front', 2)).toBe(outside.lives()[1]);
  // The agent goes, the kiosk's program stays and is adopted by the next one.
  rig.agent?.kill('SIGKILL');
  await until('the agent is gone', () => rig.agent?.signalCode === 'SIGKILL');
  void rig.start();
  const second = outside.lives()[1] ?? 0;
  await until('it is adopted', () =>
    rig.lines('front').some(({ message }) => message === `front runs on as pid ${second}`),
  );
  expect(isRunning(second)).toBe(true);
  expect(outside.lives()).toHaveLength(2);
});
