// An audit log as it is after some days: entries of several days, a beginning that was deleted, and signed heads.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { openAudit } from '../../broker/audit.ts';
import { openDatabase } from '../../broker/fleet/database.ts';
import { publicKeyText } from '../../protocol/commands.ts';
import { fakeTime, folder, must, quiet } from './fleet-rig.ts';

export const DAY_MS = 86_400_000;
export const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
export const entry = {
  operator: 'kim',
  action: 'command.restart.create',
  subject: 'lane-1',
  reason: 'till hangs',
  outcome: 'queued',
  detail: { component: 'sale' },
};

export type AuditRig = ReturnType<typeof openRig>;

export function openRig(dir = folder(), key = newKey(), time = fakeTime()) {
  const path = join(dir, 'registry.db');
  const database = must(openDatabase(path, (opened) => opened));
  const open = () =>
    openAudit(database, time.clock, { auditEntries: () => {} }, { key: () => key, log: quiet });
  return { dir, path, key, keys: [publicKeyText(key)], database, time, audit: open(), open };
}

/** Closed: what is left is its file. */
export function someDays(): AuditRig {
  const rig = openRig();
  const { audit, time, database } = rig;
  for (let day = 0; day < 5; day += 1) {
    for (const reason of ['a till hangs', 'größer als ￿ 😀', `day ${day} "of" \ufffd five`]) {
      audit.write({ ...entry, reason, detail: { day, reason } });
    }
    time.pass(DAY_MS);
  }
  database.transact(() => audit.trim(time.clock.wallMs() - 3.5 * DAY_MS, 100));
  audit.write({ ...entry, operator: 'ada' });
  return rig;
}
