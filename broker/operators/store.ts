// Operators and sessions on disk. What is read at each request is held in memory by others (accounts.ts,
// sessions.ts); here is only what outlives the process. Writes that must not be lost are transactions of whoever calls.

import type { SQLInputValue } from 'node:sqlite';
import { ROLES, type Role } from '../../protocol/catalogue.ts';
import type { Database } from '../fleet/database.ts';

export type OperatorRow = {
  readonly name: string;
  readonly role: Role;
  readonly enabled: boolean;
  /** What scrypt made of the token's secret. */
  readonly secret: string;
  readonly createdMs: number;
  readonly createdBy: string;
  readonly changedMs: number;
  readonly signedInMs: number | undefined;
};

export type SessionRow = {
  /** SHA-256 of what its holder shows. */
  readonly hash: string;
  /** Names it in records; no secret. */
  readonly id: string;
  readonly operator: string;
  readonly address: string;
  readonly createdMs: number;
  readonly usedMs: number;
};

export type OperatorStore = ReturnType<typeof openOperatorStore>;

type Raw = Record<string, unknown>;

const roleOf = (value: unknown): Role => {
  const role = ROLES.find((known) => known === value);
  if (role === undefined) throw new Error(`there is no role "${String(value)}"`);
  return role;
};

const operatorOf = (raw: Raw): OperatorRow => ({
  name: String(raw['name']),
  role: roleOf(raw['role']),
  enabled: raw['enabled'] === 1,
  secret: String(raw['secret']),
  createdMs: Number(raw['created_ms']),
  createdBy: String(raw['created_by']),
  changedMs: Number(raw['changed_ms']),
  signedInMs: raw['signed_in_ms'] === null ? undefined : Number(raw['signed_in_ms']),
});

const sessionOf = (raw: Raw): SessionRow => ({
  hash: String(raw['hash']),
  id: String(raw['id']),
  operator: String(raw['operator']),
  address: String(raw['address']),
  createdMs: Number(raw['created_ms']),
  usedMs: Number(raw['used_ms']),
});

export function openOperatorStore({ db }: Pick<Database, 'db'>) {
  const putOperator = db.prepare(
    `INSERT OR REPLACE INTO operators
     (name, role, enabled, secret, created_ms, created_by, changed_ms, signed_in_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const putSession = db.prepare(
    `INSERT OR REPLACE INTO sessions (hash, id, operator, address, created_ms, used_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const dropSession = db.prepare('DELETE FROM sessions WHERE hash = ?');
  return {
    operators: (): readonly OperatorRow[] =>
      db.prepare('SELECT * FROM operators ORDER BY name').all().map(operatorOf),
    sessions: (): readonly SessionRow[] =>
      db.prepare('SELECT * FROM sessions ORDER BY created_ms').all().map(sessionOf),
    putOperator: (row: OperatorRow): void => {
      const values: readonly SQLInputValue[] = [
        ...[row.name, row.role, row.enabled ? 1 : 0, row.secret],
        ...[row.createdMs, row.createdBy, row.changedMs, row.signedInMs ?? null],
      ];
      putOperator.run(...values);
    },
    putSession: ({ hash, id, operator, address, createdMs, usedMs }: SessionRow): void => {
      putSession.run(hash, id, operator, address, createdMs, usedMs);
    },
    dropSession: (hash: string): void => {
      dropSession.run(hash);
    },
  };
}
