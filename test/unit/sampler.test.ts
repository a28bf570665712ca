import { expect, test } from 'vitest';
import { type SamplerOptions, startSampler } from '../../agent/telemetry/sampler.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { makeQuickFolder } from './offline-rig.ts';
import { fakeClock, open, quietLog } from './outbox-rig.ts';

const OFFSET_MS = 86_400_000;

test('a sample is stamped by the time that is known when it is there, at the moment when it was taken', async () => {
  const folder = makeQuickFolder();
  const clock = fakeClock();
  const outbox = open(folder.path, clock);
  const taken: Snapshot[] = [];
  let offsetMs = 0;
  const sampler = startSampler({
    ...{ everyMs: 15_000, sendMs: 60_000, dataDir: folder.path, clock, log: quietLog() },
    agent: { version: '1', node: '24' },
    timers: { after: () => () => {}, every: () => () => {} },
    files: {} as SamplerOptions['files'],
    outbox: {
      ...outbox,
      starts: 1,
      stats: () => outbox.stats(),
      setSendMs: () => {},
      addEvent: () => {},
      addSnapshot: (snapshot) => void taken.push(snapshot),
      time: { ...outbox.time, nowMs: () => clock.wallMs() + offsetMs },
    },
    link: {
      clockOffsetMs: () => undefined,
      stats: () => ({}) as ReturnType<SamplerOptions['link']['stats']>,
    },
    readComponents: () => [],
    loopStats: () => ({ dropped: 0, pauses: 0, loopDelayMsMax: 0 }),
    channelRejected: () => ({}),
    commandCounts: () => ({}),
    readHost: () => {
      // The broker says its time while the machine is being looked at, for a second and a half.
      clock.pass(1_500);
      offsetMs = OFFSET_MS;
      return Promise.resolve([{ name: 'pos_host_cpu_ratio', labels: {}, value: 0.123456 }]);
    },
  });
  const startMs = clock.wallMs();
  await sampler.sampleNow();
  sampler.stop();
  outbox.close();
  folder.remove();
  expect(taken.map(({ timeMs }) => timeMs)).toEqual([startMs + OFFSET_MS]);
  // With the digits that it truly has.
  expect(taken[0]?.samples.find(({ name }) => name === 'pos_host_cpu_ratio')?.value).toBe(0.1235);
});
