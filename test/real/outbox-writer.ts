// A process that fills an outbox until it is killed, and says each thing only after the outbox has taken
// it: `w N` snapshot and event N are written, `s KEY CRC` a batch was handed out, `k N...` these values
// are about to be acknowledged. Knobs: path, quota, pause between two snapshots, whether to acknowledge.

import { crc32 } from 'node:zlib';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import { ackFor, eventsOf, snapshotsOf } from '../unit/outbox-rig.ts';

const [path = '', bytesMax = '', pauseMs = '0', acknowledges = 'yes'] = process.argv.slice(2);
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const log = (message: string, fields?: Record<string, unknown>): void => {
  say(`l ${message} ${JSON.stringify(fields ?? {})}`);
};
const outbox = openOutbox({
  path,
  bytesMax: Number(bytesMax),
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  log: { info: log, warn: log, error: log },
  sendMs: 20,
});

const valuesOf = (batch: Parameters<typeof snapshotsOf>[0]): number[] =>
  batch.stream === 'metrics'
    ? snapshotsOf(batch).map((snapshot) => snapshot.samples[0]?.value ?? Number.NaN)
    : eventsOf(batch).map((event) => -Number(event.fields['reason']));

let n = 0;
function step(): void {
  n += 1;
  const labels = { padding: 'x'.repeat(200) };
  outbox.addSnapshot({ timeMs: Date.now(), samples: [{ name: 'pos_n', labels, value: n }] });
  outbox.addEvent({ kind: 'agent_stopping', component: '', fields: { reason: `${n}`, left: [] } });
  say(`w ${n} ${outbox.stats().held}`);
  if (acknowledges === 'yes') {
    const taken = outbox.takeBatches(16);
    for (const batch of taken) say(`s ${batch.stream}/${batch.seq} ${crc32(batch.bytes)}`);
    const half = taken.filter((_, index) => index % 2 === 0);
    say(`k ${half.flatMap(valuesOf).join(' ')}`);
    outbox.acknowledge(ackFor(outbox.epoch, half, { brokerTimeMs: 0 }));
  }
  setTimeout(step, Number(pauseMs));
}
process.on('SIGTERM', () => {
  outbox.close();
  process.exit(0);
});
step();
