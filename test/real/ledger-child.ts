// Appends batches to a ledger until it is killed and prints what each commit answered. The parent then
// knows what a terminal would have been told, and looks for it in the file.

import { systemClock } from '../../broker/clock.ts';
import { openLedger } from '../../broker/ledger.ts';

const [path = '', firstText = '1'] = process.argv.slice(2);
const ledger = openLedger({ path, clock: systemClock });
const epoch = new Uint8Array(16).fill(1);
let seq = Number(firstText);

function append(): void {
  const batches = Array.from({ length: 1 + (seq % 7) }, (_, index) => ({
    terminal: `lane-${(seq + index) % 3}`,
    batch: { epoch, stream: 'events' as const, seq: seq + index },
    bytes: new Uint8Array(200 + ((seq * 37) % 3_000)).fill(seq % 256),
  }));
  const appended = ledger.append(batches);
  if (!appended.ok) throw new Error(appended.reason);
  const told = batches.map(({ batch, terminal }, index) => [
    terminal,
    batch.seq,
    appended.value[index],
  ]);
  seq += batches.length;
  process.stdout.write(`${JSON.stringify(told)}\n`, () => setImmediate(append));
}
append();
