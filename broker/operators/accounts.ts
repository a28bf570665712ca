// Who the operators are. Each change is one transaction with its entry in the audit log, and is in memory only when
// that is on disk. Nobody is ever removed, only disabled: a name in the audit log stays one person's. Somebody
// with the role admin who is enabled always remains, else nobody could let anybody in again.

import { randomUUID } from 'node:crypto';
import type { Role } from '../../protocol/catalogue.ts';
import { formatOperatorToken, parseOperatorName } from '../../protocol/operators.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../fleet/database.ts';
import { newSecret, type Secrets } from './secrets.ts';
import type { OperatorRow, OperatorStore } from './store.ts';

export const OPERATORS_MAX = 500;

/** As it is shown. */
export type OperatorView = Omit<OperatorRow, 'secret'>;
export type Refused = {
  readonly ok: false;
  readonly kind: 'unknown' | 'invalid' | 'conflict' | 'unavailable';
  readonly reason: string;
};
export type Changed = { readonly ok: true; readonly operator: OperatorView } | Refused;
/** The token is here and nowhere else. */
export type WithToken =
  | { readonly ok: true; readonly operator: OperatorView; readonly token: string }
  | Refused;
/** Who asks, and from where. */
export type By = { readonly name: string; readonly address: string };

export type AccountOptions = {
  readonly database: Pick<Database, 'transact'>;
  readonly store: OperatorStore;
  readonly secrets: Pick<Secrets, 'keep'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Within the transaction: what somebody held who may not go on with it. */
  readonly endSessionsOf: (name: string, why: string) => void;
};

export type Accounts = ReturnType<typeof openAccounts>;

const refuse = (kind: Refused['kind'], reason: string): Refused => ({ ok: false, kind, reason });
const unknown = (name: string): Refused =>
  refuse('unknown', `there is no operator ${JSON.stringify(name.slice(0, 64))}`);
const LAST_ADMIN =
  'this is the last enabled operator with the role admin: give somebody else that role first';
const NO_LONGER = 'you had the role admin when you asked, and have it no longer';
const BUSY = 'too many are signing in; try again in a moment';

export const viewOf = ({ secret: _, ...view }: OperatorRow): OperatorView => view;

/** Sorted as people look for names. */
const byName = (a: OperatorRow, b: OperatorRow): number => (a.name < b.name ? -1 : 1);

function openPersisted(options: AccountOptions, rows: Map<string, OperatorRow>) {
  const { database, store, audit } = options;
  return (row: OperatorRow, by: By, action: string, detail: object, ends?: string): Changed => {
    const done = database.transact(() => {
      store.putOperator(row);
      const { name: operator, address } = by;
      const entry = { operator, action, subject: row.name, reason: '', outcome: 'ok' };
      const written = audit.write({ ...entry, detail: { ...detail, address } });
      if (!written.ok) throw new Error(written.reason);
      if (ends !== undefined) options.endSessionsOf(row.name, ends);
    });
    if (!done.ok) return refuse('unavailable', done.reason);
    rows.set(row.name, row);
    return { ok: true, operator: viewOf(row) };
  };
}

export function openAccounts(options: AccountOptions) {
  const { store, secrets, clock } = options;
  const rows = new Map(store.operators().map((row) => [row.name, row]));
  const persist = openPersisted(options, rows);
  const isLastAdmin = (name: string): boolean =>
    ![...rows.values()].some((row) => row.name !== name && row.enabled && row.role === 'admin') &&
    rows.get(name)?.role === 'admin' &&
    rows.get(name)?.enabled === true;
  /** Who was let in may have been disabled while they waited; who is no operator is the broker or its one token. */
  const mayStill = ({ name }: By): boolean => {
    const row = rows.get(name);
    return row === undefined || (row.enabled && row.role === 'admin');
  };

  async function add(text: string, role: Role, by: By): Promise<WithToken> {
    const name = parseOperatorName(text);
    if (!name.ok) return refuse('invalid', name.reason);
    const secret = newSecret();
    const kept = await secrets.keep(secret, by);
    if (kept === undefined) return refuse('unavailable', BUSY);
    if (!mayStill(by)) return refuse('conflict', NO_LONGER);
    // Looked at after the wait, in which somebody else may have added the same one.
    if (rows.has(text)) return refuse('conflict', `there is an operator ${text} already`);
    if (rows.size >= OPERATORS_MAX) {
      return refuse('conflict', `there are ${OPERATORS_MAX} operators, and not more can be`);
    }
    const nowMs = clock.wallMs();
    const made = { createdMs: nowMs, createdBy: by.name, changedMs: nowMs, signedInMs: undefined };
    const row = { name: text, role, enabled: true, secret: kept, ...made };
    const added = persist(row, by, 'operator.add', { role });
    return added.ok ? { ...added, token: formatOperatorToken({ name: text, secret }) } : added;
  }

  function change(name: string, wish: { role?: Role; enabled?: boolean }, by: By): Changed {
    const row = rows.get(name);
    if (row === undefined) return unknown(name);
    const { role = row.role, enabled = row.enabled } = wish;
    if (role === row.role && enabled === row.enabled) return { ok: true, operator: viewOf(row) };
    if (isLastAdmin(name) && (role !== 'admin' || !enabled)) return refuse('conflict', LAST_ADMIN);
    const next = { ...row, role, enabled, changedMs: clock.wallMs() };
    const action = enabled === row.enabled ? 'role' : enabled ? 'enable' : 'disable';
    const detail = { role, ...(role === row.role ? {} : { before: row.role }) };
    return persist(next, by, `operator.${action}`, detail, enabled ? undefined : 'disabled');
  }

  async function newToken(name: string, by: By): Promise<WithToken> {
    if (!rows.has(name)) return unknown(name);
    const secret = newSecret();
    const kept = await secrets.keep(secret, by);
    if (kept === undefined) return refuse('unavailable', BUSY);
    if (!mayStill(by)) return refuse('conflict', NO_LONGER);
    const row = rows.get(name);
    if (row === undefined) return unknown(name);
    const next = { ...row, secret: kept, changedMs: clock.wallMs() };
    const changed = persist(next, by, 'operator.token', {}, 'a new token');
    return changed.ok ? { ...changed, token: formatOperatorToken({ name, secret }) } : changed;
  }

  return {
    find: (name: string): OperatorRow | undefined => rows.get(name),
    list: (): readonly OperatorView[] => [...rows.values()].sort(byName).map(viewOf),
    add,
    change,
    newToken,
    /** For the list; a disk that refuses it does not keep anybody out. */
    signedIn: (name: string): void => {
      const row = rows.get(name);
      if (row === undefined) return;
      const next = { ...row, signedInMs: clock.wallMs() };
      if (options.database.transact(() => store.putOperator(next)).ok) rows.set(name, next);
    },
  };
}

/** The id of a session in records: short, and no part of its secret. */
export const newSessionId = (): string => randomUUID().replaceAll('-', '').slice(0, 16);
