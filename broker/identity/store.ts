// Identities and enrolment tokens in the registry's file, so that one transaction holds a token's use, the certificate
// that came of it and the audit entry. Of a token's secret only its SHA-256 is kept: it is 256 random bits, which no
// dictionary holds, so a slow hash would buy nothing.

import type { Database } from '../fleet/database.ts';
import { type IdentityModel, newIdentity } from './machine.ts';
import { IDENTITY_STATES } from './types.ts';

export type TokenRow = {
  readonly id: string;
  readonly terminal: string;
  readonly store: string;
  readonly secret: Uint8Array;
  readonly madeBy: string;
  readonly expiresMs: number;
  /** What it was used for; absent: it was not. */
  readonly use?:
    | { readonly request: Uint8Array; readonly serial: string; readonly certificate: string }
    | undefined;
};

export type IdentityStore = ReturnType<typeof openIdentityStore>;

function openTokens({ db }: Database) {
  const select = db.prepare('SELECT * FROM tokens WHERE id = ?');
  const insert = db.prepare(
    `INSERT INTO tokens (id, terminal, store, secret, made_by, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const use = db.prepare(
    'UPDATE tokens SET request = ?, serial = ?, certificate = ? WHERE id = ? AND request IS NULL',
  );
  const forget = db.prepare('DELETE FROM tokens WHERE terminal = ?');
  const purge = db.prepare('DELETE FROM tokens WHERE expires_ms < ?');
  const count = db.prepare('SELECT count(*) AS count FROM tokens');
  return {
    tokenOf: (id: string): TokenRow | undefined => {
      const row = select.get(id);
      if (row === undefined) return undefined;
      const { request, secret } = row;
      if (!(secret instanceof Uint8Array)) return undefined;
      const used = request instanceof Uint8Array;
      return {
        ...{ id, terminal: String(row['terminal']), store: String(row['store']), secret },
        ...{ madeBy: String(row['made_by']), expiresMs: Number(row['expires_ms']) },
        ...(used && {
          use: { request, serial: String(row['serial']), certificate: String(row['certificate']) },
        }),
      };
    },
    saveToken: ({ id, terminal, store, secret, madeBy, expiresMs }: TokenRow): void => {
      insert.run(id, terminal, store, secret, madeBy, expiresMs);
    },
    /** @returns false when it was used or taken back before. */
    useToken: (id: string, { request, serial, certificate }: NonNullable<TokenRow['use']>) =>
      Number(use.run(request, serial, certificate, id).changes) === 1,
    /** Used and unused: nothing comes of any of them from now on. */
    forgetTokens: (terminal: string): void => {
      forget.run(terminal);
    },
    purgeTokens: (beforeMs: number): void => {
      purge.run(beforeMs);
    },
    countTokens: (): number => Number(count.get()?.['count']),
  };
}

function revive(terminal: string, json: string): IdentityModel {
  const saved = JSON.parse(json) as IdentityModel;
  // A state that only a newer broker knows must not let anybody in.
  const state = IDENTITY_STATES.includes(saved.state) ? saved.state : 'revoked';
  return { ...newIdentity(terminal), ...saved, terminal, state };
}

export function openIdentityStore(database: Database) {
  const { db } = database;
  const select = db.prepare('SELECT terminal, model FROM identities');
  const upsert = db.prepare(
    `INSERT INTO identities (terminal, state, model) VALUES (?, ?, ?)
     ON CONFLICT (terminal) DO UPDATE SET state = excluded.state, model = excluded.model`,
  );
  return {
    ...openTokens(database),
    loadIdentities: (): readonly IdentityModel[] =>
      select.all().map((row) => revive(String(row['terminal']), String(row['model']))),
    saveIdentity: (model: IdentityModel): void => {
      upsert.run(model.terminal, model.state, JSON.stringify(model));
    },
  };
}
