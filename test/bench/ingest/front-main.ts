// The broker's front alone in a process: guards, rules, envelope, commit to a ledger on disk and
// acknowledgement. With --bodies each committed batch is also read as the registry reads it.

import { parseArgs } from 'node:util';
import { systemClock, systemTimers } from '../../../broker/clock.ts';
import { decodeRow } from '../../../broker/fleet/decode.ts';
import { startFront } from '../../../broker/front.ts';
import { openLedger } from '../../../broker/ledger.ts';
import { MQTT_LIMITS } from '../../../broker/mqtt/limits.ts';

const { values } = parseArgs({
  options: { ledger: { type: 'string' }, bodies: { type: 'boolean', default: false } },
});
const GIB = 1024 ** 3;
const TURN_ROWS = 64;
const ledger = openLedger({ path: values.ledger ?? '', clock: systemClock, bytesMax: 64 * GIB });
const counts = { commits: 0, batches: 0 };
const quiet = {
  info: () => {},
  warn: () => {},
  error: (what: string) => process.stderr.write(what),
};
const started = await startFront({
  host: '127.0.0.1',
  port: 0,
  limits: MQTT_LIMITS,
  ledger,
  fleet: { isKnown: () => true, sessionOpened: () => {}, sessionClosed: () => {} },
  onCommandReady: () => {},
  metrics: {
    connects: () => {},
    refused: (reason) => process.stderr.write(`refused: ${reason}\n`),
    slowed: (limit) => process.stderr.write(`slowed: ${limit}\n`),
    batches: () => {},
    commitSeconds: () => {
      counts.commits += 1;
    },
  },
  clock: systemClock,
  timers: systemTimers,
  log: quiet,
});
if (!started.ok) throw new Error(started.reason);
process.stdout.write(`${JSON.stringify({ port: started.value.port })}\n`);

/** Reads rows in short turns, as the registry does, without the registry's own work. */
function readBodies(): void {
  let at = 0;
  let busy = false;
  let saying: NodeJS.Timeout | undefined;
  /** Nothing came for a second: the loader has ended. */
  const idle = (): void => {
    clearTimeout(saying);
    saying = setTimeout(() => process.stdout.write('read everything\n'), 1_000);
  };
  const turn = (): void => {
    const rows = ledger.readAfter(at, TURN_ROWS);
    for (const row of rows) {
      const decoded = decodeRow(row);
      if (!decoded.ok) throw new Error(decoded.reason);
      counts.batches += 1;
      at = row.id;
    }
    ledger.setFollowed('bench', at);
    busy = rows.length > 0;
    if (busy) setImmediate(turn);
    else if (at > 0) idle();
  };
  ledger.onCommit(() => {
    if (!busy) turn();
  });
}
if (values.bodies) readBodies();
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ ...counts, behind: ledger.slowest()?.rows ?? 0 })}\n`);
  void started.value.stop().then(() => {
    ledger.close();
    process.exit(0);
  });
});
