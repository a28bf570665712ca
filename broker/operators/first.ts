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
import { type Database, openDatabase } from '../fleet/database.ts';
import { keepNow, newSecret } from './secrets.ts';
import { openSessions, type Session } from './sessions.ts';
import { type OperatorStore, openOperatorStore } from './store.ts';

const THERE_ARE =
  'this broker has operators already: one with the role admin adds others (tillwatch operators add)';

type Stores = { readonly database: Database; readonly store: OperatorStore };

/** On a folder that no broker runs on, which is locked meanwhile. */
function inFolder<T>(dataDir: string, work: (stores: Stores) => Result<T>): Result<T> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = lockFolder(dataDir);
  if (!lock.ok) return lock;
  try {
    const opened = openDatabase(join(dataDir, 'registry.db'), (database) => database);
    if (!opened.ok) return opened;
    const database = opened.value;
    try {
      return work({ database, store: openOperatorStore(database) });
    } finally {
      database.close();
    }
  } finally {
    lock.value();
  }
}

const auditOf = (database: Database) =>
  openAudit(database, systemClock, { auditEntries: () => {} });

/** @returns the token, which is shown once and kept nowhere. */
export function addFirstOperator(dataDir: string, text: string): Result<string> {
  const name = parseOperatorName(text);
  if (!name.ok) return name;
  return inFolder(dataDir, ({ database, store }) => {
    if (store.operators().length > 0) return fail(THERE_ARE);
    const secret = newSecret();
    const nowMs = systemClock.wallMs();
    const audit = auditOf(database);
    const done = database.transact(() => {
      store.putOperator({
        ...{ name: text, role: 'admin', enabled: true, secret: keepNow(secret) },
        ...{ createdMs: nowMs, createdBy: 'broker', changedMs: nowMs, signedInMs: undefined },
      });
      const entry = { operator: 'broker', action: 'operator.add', subject: text, reason: '' };
      audit.write({ ...entry, outcome: 'ok', detail: { role: 'admin', how: 'broker init' } });
    });
    return done.ok ? ok(formatOperatorToken({ name: text, secret })) : done;
  });
}

/**
 * Signs in whoever made the fleet: that person holds its keys anyway, and needs no token for the first hours. It ends
 * as every session does.
 */
export function openFirstSession(dataDir: string, operator: string): Result<Session> {
  return inFolder(dataDir, ({ database, store }) => {
    const audit = auditOf(database);
    const timers = { every: () => () => {} };
    const sessions = openSessions({ database, store, clock: systemClock, timers });
    return database.transact(() => {
      const session = sessions.begin(operator, 'broker init');
      const detail = { session: session.id, how: 'broker init' };
      const entry = { operator, action: 'operator.sign_in', subject: operator, reason: '' };
      audit.write({ ...entry, outcome: 'ok', detail });
      return session;
    });
  });
}
