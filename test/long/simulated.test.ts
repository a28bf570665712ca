// Two hundred simulated terminals against a real broker for half a minute, with faults at thousands of times
// a year's rate: lines that are cut, freeze and flap, power that fails. In the end the two sides must agree
// to the last sample, although neither knows the other's count.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FleetCounts } from '../../agent/simulated/fleet.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { type Bench, openBench } from '../real/broker-rig.ts';

const MAIN = join(import.meta.dirname, '../../agent/simulated/main.ts');
const TERMINALS = 200;
const SECONDS = 30;
/** Of which two lines freeze, three are cut, three flap and two stores lose power within the time. */
const SEED = '304';

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench.close());

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

function simulate(...argv: string[]): { child: ReturnType<typeof spawn>; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  bench.children.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<Ended>((done) =>
    child.once('close', (code) => done({ code, out, err })),
  );
  return { child, ended };
}

const configOf = (terminals: number): string =>
  bench.write(
    `dataDir: data\nplainText: true\nmqtt: { port: 0 }\nhttp: { port: 0 }\n` +
      `terminals: ${JSON.stringify(simulatedTerminals(terminals))}\n`,
  );

/** Sums a counter of the broker over all labels that fit. */
async function counter(url: string, fits: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => fits.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

describe('a simulated fleet', () => {
  it('and the broker agree on every batch, sample and event', async () => {
    const broker = await bench.start(configOf(TERMINALS));
    const key = readFileSync(bench.data('command-key.pub'), 'utf8').trim();
    const { ended } = simulate(
      ...['--terminals', String(TERMINALS), '--seconds', String(SECONDS), '--rate', '3000'],
      ...['--broker', `127.0.0.1:${broker.mqttPort}`, '--command-key', key, '--json'],
      ...['--seed', SEED],
      ...['--every-ms', '2000', '--send-ms', '5000', '--reconnect-ms-max', '1000'],
    );
    await new Promise((done) => setTimeout(done, 12_000));
    const restart = { kind: 'restart', arguments: { component: 'sync' }, reason: 'a test' };
    const command = await bench.api(broker.url, 'terminals/sim-01-lane-1/commands', restart);
    const { code, out, err } = await ended;
    expect([code, err]).toEqual([0, '']);
    const counts = JSON.parse(out) as FleetCounts;

    // The faults were there, and nothing was given up for them.
    expect(counts.faults.store).toBeGreaterThanOrEqual(10);
    expect(counts.resent).toBeGreaterThan(0);
    expect(counts.connects).toBeGreaterThan(TERMINALS);
    expect([counts.waiting, counts.dropped, counts.refused, counts.torn]).toEqual([0, 0, 0, 0]);
    // Ten to fifteen samplings of about a hundred series each.
    expect(counts.delivered.samples).toBeGreaterThan(TERMINALS * 8 * 70);
    await expect
      .poll(() => counter(broker.url, /^tillwatch_registry_behind_batches /), { timeout: 10_000 })
      .toBe(0);

    const { terminals } = (await bench.api(broker.url, 'terminals?limit=1000')) as {
      terminals: { samples: number; events: number; agent: { starts: number } }[];
    };
    const sum = (of: (terminal: (typeof terminals)[number]) => number): number =>
      terminals.reduce((total, terminal) => total + of(terminal), 0);
    expect(sum(({ samples }) => samples)).toBe(counts.delivered.samples);
    expect(sum(({ events }) => events)).toBe(counts.delivered.events);
    const committed = /^tillwatch_ingest_batches_total\{.*result="new"/;
    expect(await counter(broker.url, committed)).toBe(counts.delivered.batches);
    expect(await counter(broker.url, /^tillwatch_ingest_dead_letters_total/)).toBe(0);

    const result = await bench.api(broker.url, `commands/${String(command['id'])}`);
    expect(result).toMatchObject({ state: 'succeeded' });
  });

  it('without a broker ends with 69 and one sentence, with wrong options with 64', async () => {
    const nobody = await simulate('--broker', '127.0.0.1:1').ended;
    expect([nobody.code, nobody.out]).toEqual([69, '']);
    expect(nobody.err).toMatch(/^simulate: no broker answers at 127\.0\.0\.1:1: .*\n$/);
    const wrong = await simulate('--terminals', 'many').ended;
    expect([wrong.code, wrong.err.split('\n').length]).toEqual([64, 2]);
  });

  it('refuses a command when it knows no key, and sums up at Ctrl-C', async () => {
    const broker = await bench.start(configOf(5));
    const { child, ended } = simulate(
      ...['--terminals', '5', '--rate', '0', '--broker', `127.0.0.1:${broker.mqttPort}`],
    );
    const online = async () => (await bench.api(broker.url, 'fleet'))['terminals'];
    await expect.poll(online, { timeout: 10_000 }).toMatchObject({ online: 5 });
    const restart = { kind: 'restart', arguments: { component: 'sync' }, reason: 'a test' };
    const command = await bench.api(broker.url, 'terminals/sim-01-lane-1/commands', restart);
    await new Promise((done) => setTimeout(done, 3_000));
    const after = await bench.api(broker.url, `commands/${String(command['id'])}`);
    expect(['pending', 'sent']).toContain(after['state']);
    child.kill('SIGINT');
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(out).toMatch(/^5 terminals for \d+ s\n/);
    expect(out).toContain('nothing waits');
  });
});
