// The broker's /metrics as Prometheus itself reads and judges it: with `promtool check metrics`, on a
// page on which every kind of line has something to say.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { packBody } from '../../protocol/body.ts';
import { encodeEventBody, type NewEvent } from '../../protocol/events.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { catalogue } from '../../protocol/metrics.ts';
import { openBench } from '../real/broker-rig.ts';
import { connectTerminal, makeBatch } from '../real/front-rig.ts';
import { need } from './parts.ts';

const check = (page: string) => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: page,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, said: stdout + stderr };
};

/** A name that needs escaping in a label. */
const VERSION = '1.0 "quoted" \\ back\nline';
const now = Date.now();
const happened: readonly NewEvent[] = [
  {
    kind: 'agent_started',
    component: '',
    fields: { version: VERSION, node: '24', bootId: 'b', adopted: [] },
  },
  {
    kind: 'component_state',
    component: 'sale',
    fields: { from: 'backoff', to: 'starting', cause: 'hang', reason: 'hung', version: VERSION },
  },
];

test('promtool finds nothing wrong with the page of a busy broker', async (context) => {
  need(context, 'promtool', 'prometheus');
  const bench = openBench();
  try {
    const broker = await bench.start();
    const till = await connectTerminal(broker.mqttPort, 'lane-1');
    const events = happened.map((event, index) => ({ id: `e${index}`, timeMs: now, ...event }));
    await till.send(makeBatch(1, { body: encodeEventBody(events) }));
    await till.send(makeBatch(2, { body: new Uint8Array(9).fill(255) }));
    const samples = [{ name: 'pos_host_load1', labels: {}, value: 0.5 }];
    const body = packBody(encodeMetricBody([{ timeMs: now, samples }]));
    await till.send(makeBatch(1, { stream: 'metrics', ...body }), 'metrics');
    const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'a test' };
    await bench.api(broker.url, 'terminals/lane-1/commands', restart);
    await fetch(`${broker.url}/api/v1/fleet`);
    await connectTerminal(broker.mqttPort, 'stranger').catch(() => undefined);
    const read = async (): Promise<string> => (await fetch(`${broker.url}/metrics`)).text();
    await expect.poll(read).toMatch(/ingest_samples_total 1\n/);
    await expect.poll(read).toMatch(/dead_letters_total\{.*\} 1\n/);
    const page = await read();
    const names = Object.entries(catalogue).filter(([, { source }]) => source === 'broker');
    for (const [name] of names) expect(page).toContain(`# TYPE ${name} `);
    expect(check(page)).toEqual({ status: 0, said: '' });
    await till.end();
  } finally {
    await bench.close();
  }
});

test('promtool is not content with just anything', (context) => {
  need(context, 'promtool', 'prometheus');
  expect(check('# TYPE broken counter\nbroken 1\n').status).not.toBe(0);
});
