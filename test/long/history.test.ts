// The history in its thread, behind a real broker: what a terminal sent is answered at once, from the ledger,
// and still after the broker was killed and its history's file is garbage.

import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { openBench } from '../real/broker-rig.ts';
import { connectTerminal, makeBatch } from '../real/front-rig.ts';

const now = Date.now();
const batch = (seq: number) => {
  const timeMs = now - (100 - seq) * 60_000;
  const samples = [{ name: 'pos_host_load1', labels: {}, value: seq }];
  const packed = packBody(encodeMetricBody([{ timeMs, samples }]));
  return makeBatch(seq, { stream: 'metrics', ...packed });
};

test('a broker answers what a terminal was like, also after it was killed and its history damaged', async () => {
  const bench = openBench();
  try {
    const first = await bench.start();
    const till = await connectTerminal(first.mqttPort, 'lane-1');
    for (let seq = 1; seq <= 100; seq += 1) await till.send(batch(seq), 'metrics');
    const values = (url: string) => async () => {
      const path = 'terminals/lane-1/history?name=pos_host_load1';
      const { series } = await bench.api(url, path);
      const [one] = (series ?? []) as { points: [number, number][] }[];
      return (one?.points ?? []).map(([, value]) => value);
    };
    const all = Array.from({ length: 100 }, (_, i) => i + 1);
    await expect.poll(values(first.url), { timeout: 10_000 }).toEqual(all);
    first.child.kill('SIGKILL');
    await first.exit;
    writeFileSync(bench.data('history.db'), 'garbage'.repeat(4_096));
    const second = await bench.start();
    await expect.poll(values(second.url), { timeout: 10_000 }).toEqual(all);
    const page = await (await fetch(`${second.url}/metrics`)).text();
    expect(page).toMatch(/^tillwatch_history_behind_batches \d+$/m);
  } finally {
    await bench.close();
  }
});
