// The first operator of a fleet, made by `tillwatch broker init` before any broker runs: somebody has to be there who may
// let in the others. Whoever may write in the data folder could make one anyway; on a broker that has operators
// it is refused, because then those decide.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatOperatorToken, parseOperatorName } from '../../protocol/operators.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { openAudit } from '../audit.ts';
import { systemClock } from '../clock.ts';
import { lockFolder } from '../files.ts';
import { openDatabase } from '../fleet/database.ts';
import { keepNow, newSecret } from './secrets.ts';
import { openOperatorStore } from './store.ts';

const THERE_ARE =
  'this broker has operators already: one with the role admin adds others (tillwatch operators add)';

/** @returns the token, which is shown once and kept nowhere. Not while a broker runs on this folder. */
export function addFirstOperator(dataDir: string, text: string): Result<string> {
  const name = parseOperatorName(text);
  if (!name.ok) return name;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = lockFolder(dataDir);
  if (!lock.ok) return lock;
  try {
    const opened = openDatabase(join(dataDir, 'registry.db'), (database) => database);
    if (!opened.ok) return opened;
    const database = opened.value;
    try {
      const store = openOperatorStore(database);
      if (store.operators().length > 0) return fail(THERE_ARE);
      const secret = newSecret();
      const nowMs = systemClock.wallMs();
      const audit = openAudit(database, systemClock, { auditEntries: () => {} });
      const done = database.transact(() => {
        store.putOperator({
          ...{ name: text, role: 'admin', enabled: true, secret: keepNow(secret) },
          ...{ createdMs: nowMs, createdBy: 'broker', changedMs: nowMs, signedInMs: undefined },
        });
        const entry = { operator: 'broker', action: 'operator.add', subject: text, reason: '' };
        audit.write({ ...entry, outcome: 'ok', detail: { role: 'admin', how: 'broker init' } });
      });
      return done.ok ? ok(formatOperatorToken({ name: text, secret })) : done;
    } finally {
      database.close();
    }
  } finally {
    lock.value();
  }
}
