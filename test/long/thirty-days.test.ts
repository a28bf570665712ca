// A till that is offline for thirty days and then comes back, at 100 series each 15 seconds and with a clock that is
// driven. In the 64 MB that an outbox has by default nothing is lost; where there is less, it is made fewer and then
// dropped, and the records say to the sample and to the second what is missing. Each quota in a process of its own,
// with an agent's bounds of memory, two of them at a time. A quarter of the series in a quarter of each quota stands
// for all of them here: TILLWATCH_LONG=1 takes all 17.28 million samples, in the quotas themselves.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { OUTBOX_BYTES_MAX } from '../../agent/telemetry/outbox.ts';

const DAYS = 30;
const PARTS = process.env['TILLWATCH_LONG'] === '1' ? 1 : 4;
const MB = (1024 * 1024) / PARTS;
const LARGE = OUTBOX_BYTES_MAX / PARTS;
/** An event each six hours. */
const EVENTS = DAYS * 4;
/** As deploy/tillwatch-agent bounds an agent. */
const BOUNDS = ['--max-old-space-size=48', '--max-semi-space-size=1'];
/** Of resident memory, beyond what a third of a day needs; read into memory the samples would be 1 GB. */
const GROWN_MB_MAX = 40;

type Told = {
  readonly taken: number;
  readonly samples: number;
  readonly wrong: number;
  readonly batches: number;
  readonly wireBytes: number;
  readonly bytes: number;
  readonly thinned: number;
  readonly drops: readonly unknown[];
  readonly twice: number;
  readonly wholeDays: number;
  readonly gaps: { readonly samples: number; readonly records: number };
  readonly fewer: { readonly samples: number; readonly records: number };
  readonly events: number;
  readonly disagreements: number;
  readonly grownMb: number;
  readonly cpuSeconds: number;
};

async function offlineWith(bytesMax: number, days: number): Promise<Told> {
  const child = new URL('thirty-days-child.ts', import.meta.url).pathname;
  const run = promisify(execFile);
  const argv = [...BOUNDS, child, `${bytesMax}`, `${days}`];
  const env = { ...process.env, TILLWATCH_SERIES: `${100 / PARTS}` };
  const { stdout } = await run(process.execPath, argv, { env });
  console.log(stdout.trim());
  return JSON.parse(stdout) as Told;
}

let large: Told;
let small: Told;
let tiny: Told;
beforeAll(async () => {
  [large, [small, tiny]] = await Promise.all([
    offlineWith(LARGE, DAYS),
    offlineWith(4 * MB, DAYS).then(async (done) => [done, await offlineWith(MB, 6)] as const),
  ]);
}, 600_000);

describe('thirty days offline', () => {
  test('fit into 64 MB and arrive whole: each sample once, with its time and its value', () => {
    expect(large).toMatchObject({ samples: large.taken, twice: 0, wrong: 0, events: EVENTS });
    expect(large).toMatchObject({ thinned: 0, drops: [], disagreements: 0 });
    expect(large.gaps.records + large.fewer.records).toBe(0);
    expect(large.bytes).toBeLessThan(LARGE);
    expect(large.bytes / large.taken).toBeLessThan(2);
  });

  test('in 4 MB are made fewer by age, and the records say exactly which are missing', () => {
    expect(small.samples + small.gaps.samples + small.fewer.samples).toBe(small.taken);
    expect(small).toMatchObject({ disagreements: 0, twice: 0, wrong: 0, events: EVENTS });
    expect(small.fewer.samples).toBe(small.thinned);
    expect(small.thinned).toBeGreaterThan(0);
    expect(small.bytes).toBeLessThanOrEqual(4 * MB);
    expect(small.wholeDays).toBeGreaterThanOrEqual(2);
    // However long it was: they grow instead of multiplying.
    expect(small.gaps.records + small.fewer.records).toBeLessThan(50);
  });

  test('or less that do not fit even so are dropped from the oldest, and one record says which', () => {
    expect(tiny.samples + tiny.gaps.samples + tiny.fewer.samples).toBe(tiny.taken);
    expect(tiny).toMatchObject({ disagreements: 0, twice: 0, wrong: 0, events: 6 * 4 });
    expect(tiny.gaps.samples).toBeGreaterThan(0);
    expect(tiny.gaps.records).toBeLessThan(5);
    expect(tiny.bytes).toBeLessThanOrEqual(MB);
  });

  test('cost no memory: what waits is on disk', () => {
    for (const { grownMb } of [large, small, tiny]) expect(grownMb).toBeLessThan(GROWN_MB_MAX);
  });
});
