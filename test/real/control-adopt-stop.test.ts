// The agent dies while a component takes its time to stop: the next one waits for that end, and a start that comes
// in between is the component's new life, which must be found again by the agent after that.

import { expect, it } from 'vitest';
import { createControl } from '../../agent/watchdog/control.ts';
import { control, isRunning, log, ports, runDir, says, specOf, start } from './control-rig.ts';

const SLOW_STOP = "trap 'sleep 1; exit 0' TERM; echo ready; while :; do sleep 0.05; done";

it('a start while the end of the life before is waited for leaves no process without a record', async () => {
  const { life: before } = await start(['/bin/sh', '-c', SLOW_STOP]);
  await says(before, 'ready');
  control.terminate(before);
  const next = createControl({ runDir, ports, log });
  const adopting = next.adopt('front till', () => undefined);
  const spec = specOf(['/bin/sleep', '1000']);
  let started = await next.spawn(spec, () => undefined);
  while (!started.ok) {
    await new Promise((resolve) => setImmediate(resolve));
    started = await next.spawn(spec, () => undefined);
  }
  expect(isRunning(before.pid)).toBe(false);
  expect(await adopting).toBeUndefined();
  const third = createControl({ runDir, ports, log });
  const found = await third.adopt('front till', () => undefined);
  expect(found).toMatchObject({ life: { instance: spec.instance, pid: started.value.pid } });
  expect((await third.spawn(specOf(['true']), () => undefined)).ok).toBe(false);
}, 30_000);
