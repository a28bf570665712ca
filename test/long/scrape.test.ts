// /metrics/terminals as Prometheus itself judges and reads it: promtool on a page with every kind of line, and a
// scrape whose series are the till's while it is there and end when it is not.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody, type Sample } from '../../protocol/metric-body.ts';
import { catalogue } from '../../protocol/metrics.ts';
import { openBench } from '../real/broker-rig.ts';
import { connectTerminal, makeBatch } from '../real/front-rig.ts';
import { need } from './parts.ts';
import { freePort } from './sinks-rig.ts';

/** A label that needs escaping, on every metric that a terminal may have. */
const ODD = 'a "quoted" \\ back\nline';
const everything: Sample[] = Object.entries(catalogue)
  .filter(([, { source }]) => source === 'agent' || source === 'component')
  .map(([name, { labels }]) => ({
    name,
    labels: Object.fromEntries(labels.map((label) => [label, ODD])),
    value: 1.5,
  }));

const batch = (seq: number, samples: readonly Sample[]) =>
  makeBatch(seq, {
    stream: 'metrics',
    ...packBody(encodeMetricBody([{ timeMs: Date.now(), samples }])),
  });

/** A Prometheus that only scrapes the broker, each second. */
async function startPrometheus(dir: string, broker: string) {
  const config = join(dir, 'prometheus.yml');
  const port = await freePort();
  writeFileSync(
    config,
    `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: terminals
    metrics_path: /metrics/terminals
    static_configs: [{ targets: ['${new URL(broker).host}'] }]
`,
  );
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'tsdb')}`];
  const child = spawn('prometheus', [...flags, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  return {
    value: async (query: string): Promise<string | undefined> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
      const reply = await fetch(url).catch(() => undefined);
      const answer = (await reply?.json()) as
        | { data?: { result?: { value: [number, string] }[] } }
        | undefined;
      return answer?.data?.result?.[0]?.value[1];
    },
    stop: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

test('a Prometheus that only scrapes has the series of a till while it is there', async (context) => {
  need(context, 'prometheus', 'prometheus');
  need(context, 'promtool', 'prometheus');
  const bench = openBench();
  let prometheus: Awaited<ReturnType<typeof startPrometheus>> | undefined;
  try {
    const presence = 'presence: { lateMs: 3000, lostMs: 6000 }';
    const broker = await bench.start(bench.configure(presence));
    const till = await connectTerminal(broker.mqttPort, 'lane-1');
    await till.send(batch(1, everything), 'metrics');
    const page = async () => (await fetch(`${broker.url}/metrics/terminals`)).text();
    await expect.poll(page).toContain('pos_host_load1{store="store-1",terminal="lane-1"} 1.5');
    const options = { input: await page(), encoding: 'utf8', timeout: 30_000 } as const;
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], options);
    expect([status, stdout, stderr]).toEqual([0, '', '']);
    prometheus = await startPrometheus(bench.dir, broker.url);
    const { value } = prometheus;
    let seq = 1;
    await expect
      .poll(
        async () => {
          seq += 1;
          await till.send(
            batch(seq, [{ name: 'pos_host_load1', labels: {}, value: seq }]),
            'metrics',
          );
          const label = '{store="store-1",terminal="lane-1"}';
          return [
            Number(await value(`pos_host_load1${label}`)) >= 2,
            await value(`pos_terminal_up${label}`),
          ];
        },
        { timeout: 10_000, interval: 500 },
      )
      .toEqual([true, '1']);
    expect(await value('up')).toBe('1');
    expect(await value('pos_terminal_up{terminal="lane-2"}')).toBe('0');
    await till.end();
    // The series has ended, and is not drawn on; that it is not there is a value.
    await expect
      .poll(
        async () => [
          await value('pos_host_load1'),
          await value('pos_terminal_up{terminal="lane-1"}'),
        ],
        { timeout: 12_000, interval: 500 },
      )
      .toEqual([undefined, '0']);
  } finally {
    await prometheus?.stop();
    await bench.close();
  }
}, 60_000);
