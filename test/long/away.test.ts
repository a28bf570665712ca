// A real agent that loses its real broker, is killed itself in the middle of it, and tells afterwards how long it
// was away and why: each part to its reason, in one event.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fault, freePort, Rig } from '../real/agent-rig.ts';
import { type Bench, openBench } from '../real/broker-rig.ts';

let rig: Rig;
let bench: Bench;
beforeEach(() => {
  rig = new Rig();
  bench = openBench();
});
afterEach(async () => {
  await rig.clean();
  await bench.close();
});

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

type View = {
  presence: string;
  samples: number;
  away?: {
    fromMs: number;
    untilMs: number;
    why: string;
    parts: Record<string, number>;
    reason: string;
  };
};

async function eventually(url: string, good: (view: View) => boolean): Promise<View> {
  for (const untilMs = performance.now() + 30_000; ; ) {
    const view = (await bench.api(url, 'terminals/lane-1')) as unknown as View;
    if (good(view)) return view;
    if (performance.now() > untilMs) throw new Error(`never happened: ${JSON.stringify(view)}`);
    await wait(100);
  }
}

it('tells why it was away, also when it was killed meanwhile', async () => {
  const port = await freePort();
  const file = join(bench.dir, 'broker.yaml');
  const terminals = [{ id: 'lane-1', store: 's-1' }];
  const mqtt = { host: '127.0.0.1', port };
  writeFileSync(
    file,
    stringify({ dataDir: 'data', plainText: true, mqtt, http: { port: 0 }, terminals }),
  );
  const first = await bench.start(file);
  rig.configure([fault('sale')], {
    broker: { plainText: true, ...mqtt },
    link: { reconnectMsMin: 100, reconnectMsMax: 500 },
    sampling: { everyMs: 500, sendMs: 1_000 },
  });
  void rig.start();
  const before = await eventually(first.url, ({ samples }) => samples > 100);
  expect(before.away).toBeUndefined();
  first.child.kill('SIGKILL');
  await first.exit;
  const brokenMs = Date.now();
  await wait(4_000);
  rig.agent?.kill('SIGKILL');
  await wait(7_000);
  const second = await bench.start(file);
  void rig.start();
  const { away, presence } = await eventually(second.url, (view) => view.away !== undefined);
  expect(presence).toBe('online');
  expect(Math.abs((away?.fromMs ?? 0) - brokenMs)).toBeLessThan(2_000);
  expect((away?.untilMs ?? 0) - (away?.fromMs ?? 0)).toBeGreaterThan(10_500);
  expect(away?.untilMs).toBeLessThanOrEqual(Date.now());
  const lengthMs = (away?.untilMs ?? 0) - (away?.fromMs ?? 0);
  // What it did between its last record and its death counts as stopped: nobody else knows. On a busy machine that
  // can be all of it, and one reason has no parts.
  const parts = away?.parts ?? { [away?.why ?? '']: lengthMs };
  expect(parts['agent_stopped']).toBeGreaterThan(5_000);
  const sum = Object.values(parts).reduce((a, b) => a + b, 0);
  expect(Math.abs(sum - lengthMs)).toBeLessThan(10);
  const { events } = (await bench.api(second.url, 'events?terminal=lane-1&kind=away')) as {
    events: unknown[];
  };
  expect(events.length).toBe(1);
});
