// The agent's outbox and link against the real broker program, which is killed while they deliver: the two
// sides of the wire, written apart, must count the same events and samples in the end.

import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Link, startLink } from '../../agent/link/link.ts';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { makeFolder, quietLog, snapshotAt, someEvent } from '../unit/outbox-rig.ts';
import { type Bench, openBench } from './broker-rig.ts';
import { realClock, realTimers } from './link-rig.ts';

const EVENTS = 300;
const SNAPSHOTS = 40;

let bench: Bench;
let folder: ReturnType<typeof makeFolder>;
let outbox: Outbox;
let link: Link | undefined;
beforeEach(() => {
  bench = openBench();
  folder = makeFolder();
  outbox = openOutbox({
    path: `${folder.path}/outbox.db`,
    bytesMax: 8 * 1024 * 1024,
    clock: realClock,
    log: quietLog(),
    sendMs: 50,
    resend: { resendMsMin: 300, resendMsMax: 1_000 },
  });
});
afterEach(async () => {
  await link?.stop();
  outbox.close();
  folder.remove();
  await bench.close();
});

test('an agent and a broker that is killed meanwhile agree on every event and sample', async () => {
  let broker = await bench.start();
  // From now on always the same port, as a terminal's configuration says.
  const file = bench.configure();
  const pinned = readFileSync(file, 'utf8').replace(
    'mqtt: { port: 0 }',
    `mqtt: { port: ${broker.mqttPort} }`,
  );
  writeFileSync(file, pinned);
  link = startLink({
    terminal: 'lane-1',
    broker: { host: '127.0.0.1', port: broker.mqttPort },
    outbox,
    clock: realClock,
    timers: realTimers,
    log: quietLog(),
    onCommand: () => {},
    backoff: { firstMsMax: 20, reconnectMsMin: 50, reconnectMsMax: 200 },
  });
  let samples = 0;
  for (let n = 1; n <= EVENTS; n += 1) {
    outbox.addEvent(someEvent(`${n}`));
    if (n % Math.ceil(EVENTS / SNAPSHOTS) === 0) {
      const snapshot = snapshotAt(realClock.wallMs());
      samples += snapshot.samples.length;
      outbox.addSnapshot(snapshot);
    }
    await new Promise((resolve) => setTimeout(resolve, 3));
    if (n % 100 === 0 && n < EVENTS) {
      broker.child.kill('SIGKILL');
      await broker.exit;
      broker = await bench.start(file);
    }
  }
  const endMs = performance.now() + 30_000;
  let view = await bench.api(broker.url, 'terminals/lane-1');
  while (
    performance.now() < endMs &&
    ((view['events'] as number) < EVENTS || (view['samples'] as number) < samples)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    view = await bench.api(broker.url, 'terminals/lane-1');
  }
  expect([view['events'], view['samples']]).toEqual([EVENTS, samples]);
});
