// Operators on a registry of their own, with a clock that is moved by hand and a scrypt that costs nothing.

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openDatabase } from '../../broker/fleet/database.ts';
import { createMetrics } from '../../broker/metrics.ts';
import { type Operators, openOperators } from '../../broker/operators/operators.ts';
import { parseOperatorToken } from '../../protocol/operators.ts';
import { fakeTime, folder, must } from './fleet-rig.ts';

export const CHEAP = { ln: 4, r: 1, p: 1 };
export const HERE = '192.0.2.1';
export const BY = { name: 'root', address: HERE };

export type Person = { readonly name: string; readonly secret: string; readonly token: string };

export function operatorRig() {
  const dir = folder();
  const path = join(dir, 'registry.db');
  const time = fakeTime();
  const metrics = createMetrics('1.0');
  let setBackMs = 0;
  const { monotonicMs, wallMs } = time.clock;
  const clock = { monotonicMs, wallMs: () => wallMs() - setBackMs };
  const begin = () => {
    const database = must(openDatabase(path, (opened) => opened));
    const audit = openAudit(database, clock, metrics);
    const operators = openOperators({ database, audit, metrics, ...time, clock, cost: CHEAP });
    return { database, audit, operators };
  };
  let now = begin();
  onTestFinished(() => {
    now.operators.close();
    now.database.close();
  });
  async function add(name: string, role: 'viewer' | 'oncall' | 'admin'): Promise<Person> {
    const added = await now.operators.add(name, role, BY);
    if (!added.ok) throw new Error(added.reason);
    return { name, token: added.token, secret: parseOperatorToken(added.token)?.secret ?? '' };
  }
  return {
    ...{ dir, path, time, metrics, add },
    get: (): Operators => now.operators,
    /** The wall clock; the monotonic one cannot be set. */
    setBack: (ms: number): void => {
      setBackMs += ms;
    },
    audit: () => now.audit,
    database: () => now.database,
    /** As after a restart of the broker. */
    reopen: (): Operators => {
      now.operators.close();
      now.database.close();
      now = begin();
      return now.operators;
    },
    enter: async (who: Person, address = HERE) => {
      const entered = await now.operators.signIn(who.name, who.secret, address);
      if (!entered.ok) throw new Error(entered.reason);
      return entered.session;
    },
    whose: (token: string) => now.operators.authenticate(token, HERE),
  };
}
