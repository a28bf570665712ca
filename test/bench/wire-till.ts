// The till that wire, ingest and outbox are measured with: a simulated terminal (agent/simulated) through a
// day, without faults, with its samples made by the agent's own code; the same seed gives the same day.
// A hundred series in the mix that a reference terminal was seen to send (November 2026, 116 series): 59 state
// sets, infos and others that are 0 or 1; 17 counters, most of them still; 14 gauges of bytes, counts and
// times in tenths of a millisecond; 10 ages, ratios and sums that are doubles with all their digits unless
// their source rounds them. Added to what the reference terminal sends: one histogram of five buckets,
// because a retailer's own components have them. Sales follow the hour: a night is quieter than an evening.

import { charactersOf } from '../../agent/simulated/character.ts';
import { type Dice, diceFrom, seedFor } from '../../agent/simulated/dice.ts';
import { newTill, type Till } from '../../agent/simulated/model.ts';
import { samplesOf } from '../../agent/simulated/readings.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { nextMs, stepTill } from '../../agent/simulated/till.ts';
import type { AgentReading } from '../../agent/telemetry/readings.ts';
import type { Sample, Snapshot } from '../../protocol/metric-body.ts';

/** From its first sale on; before that it does not know when the last one was. */
export const TILL_SERIES = 100;
export const SAMPLE_MS = 15_000;
/** Midnight of a Monday, in UTC. */
export const DAY_MS = Date.UTC(2026, 10, 23);
const BOOT_MS = 60_000;
const BUCKETS = ['0.01', '0.05', '0.25', '1', '+Inf'];
/** Beyond a hundred: devices that few tills have, and what says little. */
const LEFT_OUT: readonly [string, string][] = [
  ['device', 'scale'],
  ['device', 'drawer'],
  ['device', 'scanner'],
  ['result', 'voided'],
  ['result', 'failed'],
  ['stream', 'results'],
  ['stream', 'traces'],
];

const isLeftOut = ({ name, labels }: Sample): boolean =>
  name === 'pos_component_work_in_flight' ||
  name === 'pos_component_descriptors' ||
  LEFT_OUT.some(([label, value]) => labels[label] === value);

/** How long a sale took, as a retailer's component would count it. */
class Histogram {
  readonly #counts = BUCKETS.map(() => 0);
  #sum = 0;
  #sold = 0;

  samples(sold: number, dice: Dice): Sample[] {
    for (; this.#sold < sold; this.#sold += 1) {
      const seconds = 0.005 * Math.exp(dice.next() * 5);
      this.#sum += seconds;
      for (const [i, bucket] of BUCKETS.entries()) {
        if (seconds <= Number(bucket.replace('+Inf', 'Infinity'))) {
          this.#counts[i] = (this.#counts[i] ?? 0) + 1;
        }
      }
    }
    const name = 'app_sale_seconds';
    const component = 'sale';
    return [
      ...BUCKETS.map((le, i) => ({
        name: `${name}_bucket`,
        labels: { le, component },
        value: this.#counts[i] ?? 0,
      })),
      { name: `${name}_sum`, labels: { component }, value: this.#sum },
      { name: `${name}_count`, labels: { component }, value: this.#sold },
    ];
  }
}

/** What the agent says of itself while all is well. */
const agentReading = (ageMs: number, dice: Dice): AgentReading => ({
  version: '0.1.0',
  node: '24.21.0',
  starts: 3,
  residentBytes: 71_000_064 + Math.floor(dice.next() * 200) * 4_096,
  cpuSeconds: Math.round(ageMs * 4e-4 + dice.next() * 10) / 100,
  loopDelayMsMax: 0.5 + dice.next() * 2,
  pauses: 0,
  dropped: 0,
  channelRejected: {},
  commandCounts: {},
  clockOffsetMs: Math.round(340 + dice.next() * 3),
  outbox: {
    ...{ durable: true, bytes: 36_864, deadLetters: 0, keptBytes: 0, thinned: 0, damaged: 0 },
    batches: { events: 0, metrics: 0, results: 0, traces: 0 },
    waiting: { samples: 0, events: 0, results: 0, spans: 0 },
    ...{ drops: [], refused: {}, held: 0, acknowledged: 0, foreignAcks: 0, resent: 0 },
  },
  link: {
    ...{ connected: true, lastReason: '', connects: 2, failures: 1, garbageAcks: 0 },
    ...{ sentBatches: 0, sentBytes: 0, acks: 0, paceBytesPerSecond: 0 },
    ...{ commands: 0, silences: 0 },
  },
  scrapeFailures: new Map(),
  seriesDropped: new Map(),
});

export type TillOptions = { readonly seed: number; readonly count: number };

/** So many snapshots from midnight on, one each 15 s with the jitter of a timer. */
export function* tillSnapshots({ seed, count }: TillOptions): Generator<Snapshot> {
  const [who] = charactersOf(seed, simulatedTerminals(1));
  if (who === undefined) throw new Error('there is no terminal');
  const dice = diceFrom(seedFor(seed, 'bench'));
  const histogram = new Histogram();
  let till: Till = stepTill(newTill(who, DAY_MS), { kind: 'boot' }, 0).till;
  for (let now = nextMs(till, 0); now < BOOT_MS; now = Math.max(now + 1, nextMs(till, now))) {
    till = stepTill(till, { kind: 'tick' }, now).till;
  }
  for (let i = 0; i < count; i += 1) {
    const now = BOOT_MS + i * SAMPLE_MS + dice.next() * 3;
    const timeMs = Math.round(DAY_MS + now);
    const hour = ((now / 3_600_000) % 24) + dice.next() * 1e-6;
    till = stepTill(till, { kind: 'sample', wallMs: timeMs, hour }, now).till;
    const own = samplesOf(till, agentReading(now, dice), now, timeMs);
    const samples = [
      ...own.filter((one) => !isLeftOut(one)),
      ...histogram.samples(till.books.sold, dice),
    ];
    yield { timeMs, samples };
  }
}

/** Cut into batches of so many, the last one perhaps shorter. */
export function inBatches(snapshots: Iterable<Snapshot>, size: number): Snapshot[][] {
  const batches: Snapshot[][] = [];
  const batch: Snapshot[] = [];
  for (const snapshot of snapshots) {
    batch.push(snapshot);
    if (batch.length === size) batches.push(batch.splice(0));
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
