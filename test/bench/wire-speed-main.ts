// How long the wire takes, in a process of its own so that it can run with the agent's flags: encoding a
// snapshot, a live batch and ten minutes, and reading the live batch, by hand and by the generated decoder.
// Prints JSON: microseconds each, of the quickest round, because other work on the machine only adds.

import { packBody, unpackBody } from '../../protocol/body.ts';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { decodeRaw } from '../../protocol/wire.ts';
import { tillSnapshots } from './wire-till.ts';

const ROUNDS = 15;
const ROUND_MS = 40;

function micros(work: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let turns = 0;
    while (performance.now() - start < ROUND_MS) {
      work();
      turns += 1;
    }
    best = Math.min(best, ((performance.now() - start) * 1_000) / turns);
  }
  return Math.round(best * 10) / 10;
}

/** Until after breakfast; only the end is kept, because the heap of an agent has 48 MB. */
const COUNT = 2_400;
const tenMinutes: Snapshot[] = [];
for (const snapshot of tillSnapshots({ seed: 1, count: COUNT })) {
  tenMinutes.push(snapshot);
  if (tenMinutes.length > 40) tenMinutes.shift();
}
const live = tenMinutes.slice(-4);
const body = encodeMetricBody(live);
const packed = packBody(body);
const late = encodeMetricBody(tenMinutes);

console.log(
  JSON.stringify({
    encodeSnapshot: micros(() => encodeMetricBody(live.slice(0, 1))),
    encodeLive: micros(() => encodeMetricBody(live)),
    packLive: micros(() => packBody(body)),
    encodeTenMinutes: micros(() => encodeMetricBody(tenMinutes)),
    unpackLive: micros(() => unpackBody(packed)),
    decodeLive: micros(() => decodeMetricColumns(body)),
    // The generated decoder alone, without checks and sums.
    decodeLiveGenerated: micros(() => decodeRaw('MetricBody', body, body.length)),
    decodeLiveSnapshots: micros(() => decodeMetricBody(body)),
    decodeTenMinutes: micros(() => decodeMetricColumns(late)),
    decodeTenMinutesGenerated: micros(() => decodeRaw('MetricBody', late, late.length)),
  }),
);
