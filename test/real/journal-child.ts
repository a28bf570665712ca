// Appends numbered records for ever, from where the journal says that it got to: as intake does, whose file is here the
// numbers themselves. Now and then several at once, in two blocks. It is killed by its parent.

import { openJournal } from '../../agent/logs/journal/journal.ts';
import type { JournalRecord } from '../../agent/logs/journal/types.ts';

const [folder = ''] = process.argv.slice(2);
const nothing = (): void => undefined;
const journal = openJournal({
  folder,
  clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
  log: { info: nothing, warn: nothing, error: nothing },
});

let [{ to } = { to: 0 }] = journal.places('sale');
for (let turn = 0; ; turn += 1) {
  const records: JournalRecord[] = [];
  const most = to % 50 === 0 ? 5 : 1;
  for (let more = 0; more < most; more += 1) {
    const text = to % 50 === 0 ? `${to + more} ${'x'.repeat(70_000)}` : `${to + more}`;
    records.push({ timeMs: to + more, guessed: false, level: 'info', text, version: '1' });
  }
  to += most;
  const places = [{ path: '/sale.log', inode: 1, to }];
  const done = await journal.append('sale', records, places, 'tillwatch-redact/2', `${to}`);
  if (!done.ok) throw new Error(done.reason);
  if (turn === 0) process.stdout.write('ready\n');
}
