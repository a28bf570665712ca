// A ledger whose rows come and go all the time, and a registry that follows it closely, until it is killed: what a
// backup must see at one moment, without a broker around it.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLedger } from '../../broker/ledger.ts';
import { encodeBatch } from '../../protocol/wire.ts';

const [, , folder = ''] = process.argv;
const clock = { wallMs: Date.now };
const ledger = openLedger({ path: join(folder, 'ledger.db'), clock, bytesMax: 1024 * 1024 });
const registry = new DatabaseSync(join(folder, 'registry.db'));
registry.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
registry.exec('CREATE TABLE cursor (ledger_id INTEGER)');
registry.exec('INSERT INTO cursor VALUES (0)');
const move = registry.prepare('UPDATE cursor SET ledger_id = ?');
const epoch = new Uint8Array(16);
process.stdout.write('ready');
for (let seq = 1; ; ) {
  const batches = Array.from({ length: 20 }, () => {
    const body = new Uint8Array(randomBytes(2_000));
    const fields = { epoch, stream: 'events', createdMs: 1, clockOffsetMs: 0 } as const;
    const batch = { ...fields, seq: seq++, encoding: 'identity' as const, body };
    return { terminal: 'lane-1', batch, bytes: encodeBatch(batch) };
  });
  const done = ledger.append(batches);
  if (!done.ok) throw new Error(done.reason);
  const { newestId } = ledger.stats();
  move.run(newestId);
  // At once: there is nothing that the registry would still need.
  ledger.setFollowed('registry', newestId);
}
