// The tables of the outbox's file, and whether a file is one of ours. Tables are only ever added and made where
// they are missing, so that a file outlives an upgrade of the agent and its way back alike.

import type { DatabaseSync } from 'node:sqlite';

export const SCHEMA_VERSION = 1;

export const SCHEMA = `
  create table meta (key text primary key, value any) strict, without rowid;
  create table lane (stream text primary key, seq integer not null) strict, without rowid;
  create table sample (
    id integer primary key, time_ms integer not null, until_ms integer not null,
    snapshots integer not null, samples integer not null, mono real,
    encoding text not null, crc integer not null, body blob not null) strict;
  create table event (
    id integer primary key, kind text not null, mono real,
    crc integer not null, body text not null) strict;
  create table result (
    id integer primary key, crc integer not null, body text not null) strict;
  create table batch (
    id integer primary key, stream text not null, seq integer not null, live integer not null,
    items integer not null, crc integer not null, bytes blob not null) strict;
  create table dead_letter (
    id integer primary key, stream text not null, seq integer not null, reason text not null,
    time_ms integer not null, bytes blob not null) strict;
`;

/**
 * What came later than the first files. An agent of an earlier version works on with them and does not touch these.
 * `kept`: acknowledged batches (kept.ts); `span`: spans that wait unsealed (span-rows.ts).
 */
export const ADDED = `
  create table if not exists kept (
    id integer primary key, at_ms integer not null, mask integer not null) strict;
  create table if not exists span (
    id integer primary key, time_ms real not null, until_ms real not null, spans integer not null,
    mono real, encoding text not null, crc integer not null, body blob not null) strict;
`;

export function single(db: DatabaseSync, pragma: string): unknown {
  return Object.values(db.prepare(`pragma ${pragma}`).get() ?? {})[0];
}

/** Throws a sentence when the file is not a healthy outbox. */
export function check(db: DatabaseSync): void {
  const verdict = single(db, 'quick_check(1)');
  if (verdict !== 'ok') throw new Error(`quick_check: ${String(verdict).slice(0, 200)}`);
  const version = single(db, 'user_version');
  if (version !== SCHEMA_VERSION) throw new Error(`outbox schema ${String(version)} is not ours`);
}

/** Anchors are times of this boot's clock: those of another one are taken away. */
export function forgetAnchors(db: DatabaseSync, bootId: string): void {
  const known = db.prepare("select value from meta where key = 'boot'").get()?.['value'];
  if (bootId === '' || known !== bootId) {
    for (const table of ['sample', 'event', 'span']) {
      db.exec(`update ${table} set mono = null where mono is not null`);
    }
  }
  db.prepare("insert into meta values ('boot', ?) on conflict do update set value = ?").run(
    ...[bootId, bootId],
  );
}
