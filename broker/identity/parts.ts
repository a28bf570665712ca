// What the files of this folder share: the records, where they are written, and whom to tell.

import type { Audit, AuditEntry } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log, RefusedReason } from '../ports.ts';
import type { Trust } from '../trust/types.ts';
import type { Records } from './records.ts';
import type { IdentityStore } from './store.ts';
import type { Twins } from './twins.ts';
import type { EnrolRefusal } from './types.ts';

export type EnrolmentSettings = {
  readonly certificateDays: number;
  readonly graceDays: number;
  readonly tokenMinutes: number;
};

/** Where terminals find this broker: mqtts://HOST:PORT and https://HOST:PORT. */
export type Addresses = { readonly brokers: readonly string[]; readonly urls: readonly string[] };

/** `repeated`: the same answer again; `failed`: by no fault of who asked. */
export type EnrolmentResult = 'enrolled' | 'repeated' | 'renewed' | 'refused' | 'failed';

export type Parts = {
  readonly fleet: Pick<Fleet, 'database' | 'planner' | 'storeOf' | 'isConnected'>;
  /** Undefined with plainText: there are no certificates. */
  readonly trust: Trust | undefined;
  readonly settings: EnrolmentSettings;
  readonly addresses: () => Addresses;
  readonly audit: Pick<Audit, 'write' | 'refuse'>;
  readonly count: (result: EnrolmentResult) => void;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly records: Records;
  readonly store: IdentityStore;
  /** Something looks as if two machines had its identity. */
  readonly twin: Twins['seen'];
  /** Told after the commit. */
  readonly cut: (terminal: string, reason: RefusedReason, sentence: string) => void;
};

export const refuse = (kind: EnrolRefusal['kind'], reason: string): EnrolRefusal => ({
  ...{ ok: false, kind, reason },
});

/** Within a transaction: an entry that cannot be written takes everything back. */
export function writeAudit({ audit }: Pick<Parts, 'audit'>, entry: AuditEntry): void {
  const written = audit.write(entry);
  if (!written.ok) throw new Error(written.reason);
}

const REASON_CHARS = { min: 3, max: 500 } as const;

/** @returns what is wrong with a reason; every act needs one. */
export function checkReason(reason: string): EnrolRefusal | undefined {
  const { length } = reason.trim();
  if (length < REASON_CHARS.min || length > REASON_CHARS.max) {
    const { min, max } = REASON_CHARS;
    return refuse('invalid', `a reason of ${min} to ${max} characters is needed`);
  }
  // It is shown in terminals and logs, where control characters do things.
  if (/\p{Cc}/u.test(reason)) {
    return refuse('invalid', 'a reason is one line without control characters');
  }
  return undefined;
}
