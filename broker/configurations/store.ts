// Versions of documents on disk, and what the centre has sent by itself. A text is read when somebody needs it, because
// fifty versions of two hundred names do not belong into memory; everything else is held there.

import type { Database } from '../fleet/database.ts';
import { surplusOf, type Version } from './model.ts';

const TABLES = `
  CREATE TABLE IF NOT EXISTS configurations (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    model TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (name, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS configuration_sendings (
    terminal TEXT PRIMARY KEY,
    model TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** What the centre has sent a terminal by itself last. */
export type Sending = {
  readonly terminal: string;
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  /** Of this version. */
  readonly tries: number;
  readonly command: string;
  readonly atMs: number;
  /** Of its command; empty while it is under way. */
  readonly outcome: string;
  readonly reason: string;
};

export type ConfigurationStore = ReturnType<typeof openConfigurationStore>;

const modelIn = (row: Record<string, unknown>): unknown => JSON.parse(String(row['model']));

export function openConfigurationStore({ db, afterCommit }: Database) {
  db.exec(TABLES);
  const all = db.prepare('SELECT model FROM configurations ORDER BY name, version');
  const text = db.prepare('SELECT text FROM configurations WHERE name = ? AND version = ?');
  const insert = db.prepare(
    'INSERT INTO configurations (name, version, model, text) VALUES (?, ?, ?, ?)',
  );
  const update = db.prepare('UPDATE configurations SET model = ? WHERE name = ? AND version = ?');
  const remove = db.prepare('DELETE FROM configurations WHERE name = ? AND version = ?');
  const sendings = db.prepare('SELECT model FROM configuration_sendings');
  const upsertSending = db.prepare(
    'INSERT OR REPLACE INTO configuration_sendings (terminal, model) VALUES (?, ?)',
  );
  const versions = new Map<string, readonly Version[]>();
  const byBulk = new Map<string, Version>();
  let revision = 0;

  function hold(name: string, list: readonly Version[]): void {
    revision += 1;
    for (const { bulk } of versions.get(name) ?? []) byBulk.delete(bulk);
    if (list.length === 0) versions.delete(name);
    else versions.set(name, list);
    for (const one of list) if (one.bulk !== '') byBulk.set(one.bulk, one);
  }
  for (const row of all.all()) {
    const version = modelIn(row) as Version;
    hold(version.name, [...(versions.get(version.name) ?? []), version]);
  }
  /** What is held follows the disk: a transaction that fails has changed nothing. */
  const change = (name: string, make: (list: readonly Version[]) => readonly Version[]): void =>
    afterCommit(() => hold(name, make(versions.get(name) ?? [])));

  return {
    /** Another one after each change of a version. */
    revision: (): number => revision,
    names: (): readonly string[] => [...versions.keys()],
    /** The oldest first. */
    versionsOf: (name: string): readonly Version[] => versions.get(name) ?? [],
    byBulk: (bulk: string): Version | undefined => byBulk.get(bulk),
    textOf: (name: string, version: number): string =>
      String(text.get(name, version)?.['text'] ?? ''),
    add: (version: Version, content: string): void => {
      const { name } = version;
      insert.run(name, version.version, JSON.stringify(version), content);
      const gone = surplusOf([...(versions.get(name) ?? []), version]);
      for (const one of gone) remove.run(name, one);
      change(name, (list) => [...list, version].filter((one) => !gone.includes(one.version)));
    },
    save: (version: Version): void => {
      const { name } = version;
      update.run(JSON.stringify(version), name, version.version);
      change(name, (list) => list.map((one) => (one.version === version.version ? version : one)));
    },
    remove: ({ name, version }: Pick<Version, 'name' | 'version'>): void => {
      remove.run(name, version);
      change(name, (list) => list.filter((one) => one.version !== version));
    },
    sendings: (): readonly Sending[] => sendings.all().map((row) => modelIn(row) as Sending),
    saveSending: (sending: Sending): void => {
      upsertSending.run(sending.terminal, JSON.stringify(sending));
    },
  };
}
