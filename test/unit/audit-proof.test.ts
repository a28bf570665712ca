// What is proved: whoever can write the file but has no key cannot change, remove, add or cut anything unseen.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { checkAuditFile } from '../../broker/audit-file.ts';
import { type AuditProof, readHead, signHead } from '../../protocol/audit.ts';
import { random } from '../real/front-rig.ts';
import { DAY_MS, entry, newKey, openRig, someDays } from './audit-rig.ts';
import { folder, must } from './fleet-rig.ts';

const first = (proof: AuditProof): string => proof.problems[0]?.sentence ?? 'nothing';

/** A copy of a log of some days, changed without the triggers. */
function tampered(change: (db: DatabaseSync) => void) {
  const { database, path, keys, key } = someDays();
  database.db.exec('DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete');
  change(database.db);
  database.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  return { path, keys, key, proof: must(checkAuditFile(path, { keys })) };
}

describe('an audit log that nobody touched', () => {
  it('is proved from its file, of which not a byte is changed for that', () => {
    const { database, path, keys } = someDays();
    database.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    const before = readFileSync(path);
    const proof = must(checkAuditFile(path, { keys }));
    expect(proof).toMatchObject({ problems: [], notes: [], entries: 10, id: 16 });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('keeps one head a day, and the newest', () => {
    const { database } = someDays();
    const heads = database.db.prepare('SELECT id FROM audit_heads ORDER BY id').all();
    expect(heads.map(({ id }) => id)).toEqual([6, 9, 12, 15, 16]);
    database.close();
  });
});

describe('one changed byte', () => {
  it.each(['audit', 'audit_heads', 'audit_gone'])('in any column of %s is found', (table) => {
    const rig = someDays();
    const { db } = rig.database;
    db.exec('DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete');
    const names = db.prepare(`SELECT name, type FROM pragma_table_info('${table}')`).all();
    const audit = rig.open();
    const next = random(7);
    let tried = 0;
    for (const { name, type } of names) {
      // Which row it is in audit_gone is no information: it has one.
      if (table === 'audit_gone' && name === 'id') continue;
      const rows = db.prepare(`SELECT rowid AS row, ${name} AS value FROM ${table}`).all();
      for (const { row, value } of rows) {
        const bytes = Buffer.from(String(value));
        for (
          let at = 0;
          at < (type === 'INTEGER' ? 6 : bytes.length);
          at += 1 + Math.floor(next() * 6)
        ) {
          const put = (to: string, given: number | Uint8Array) =>
            db
              .prepare(`UPDATE ${table} SET ${name} = ${to} WHERE rowid = ?`)
              .run(given, Number(row));
          db.exec('BEGIN');
          if (type === 'INTEGER') put('?', Number(value) + 256 ** at * (next() < 0.5 ? 100 : -100));
          else {
            bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(next() * 255));
            put('CAST(? AS TEXT)', bytes);
          }
          const { problems } = audit.verify();
          expect(problems, `${table}.${name} of ${row}, byte ${at}`).not.toEqual([]);
          db.exec('ROLLBACK');
          bytes.fill(String(value));
          tried += 1;
        }
      }
    }
    expect(tried).toBeGreaterThan(table === 'audit_gone' ? 15 : 150);
    expect(audit.verify().problems).toEqual([]);
    rig.database.close();
  });

  it('in the file either is found or changed nothing that is in the log', () => {
    const { database, path, keys } = someDays();
    database.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    const good = readFileSync(path);
    const rowsOf = (file: string): string => {
      const db = new DatabaseSync(file, { readOnly: true });
      try {
        return ['audit', 'audit_heads', 'audit_gone']
          .map((table) => JSON.stringify(db.prepare(`SELECT * FROM ${table} ORDER BY 1`).all()))
          .join();
      } finally {
        db.close();
      }
    };
    const whole = rowsOf(path);
    const copy = join(folder(), 'copy.db');
    const next = random(11);
    const places = ['till hangs', 'command.restart', 'queued', 'ed25519:'].flatMap((word) => {
      const found: number[] = [];
      for (let at = good.indexOf(word); at >= 0; at = good.indexOf(word, at + 1)) found.push(at);
      return found;
    });
    let found = 0;
    for (let run = 0; run < 400; run += 1) {
      const bytes = Buffer.from(good);
      const near = places[Math.floor(next() * places.length)] ?? 0;
      const at = Math.min(bytes.length - 1, Math.max(0, near + Math.floor((next() - 0.5) * 400)));
      bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(next() * 255));
      writeFileSync(copy, bytes);
      const proof = checkAuditFile(copy, { keys });
      if (!proof.ok || proof.value.problems.length > 0) found += 1;
      else expect(rowsOf(copy), `byte ${at} of the file`).toBe(whole);
    }
    expect(found).toBeGreaterThan(200);
  });
});

describe('somebody who can write the file', () => {
  it.each([
    [
      'cuts off the newest entry',
      'DELETE FROM audit WHERE id = 16',
      'entry 16 is missing at the end',
    ],
    ['takes one out', 'DELETE FROM audit WHERE id = 10', 'entry 10 is missing'],
    [
      'takes the oldest away',
      'DELETE FROM audit WHERE id = 7; UPDATE audit_gone SET until = 7',
      'entry 8 was changed',
    ],
    [
      'takes the oldest away, and says so as a broker would',
      `UPDATE audit_gone SET until = 7, hash = (SELECT hash FROM audit WHERE id = 7);
       DELETE FROM audit WHERE id = 7; DELETE FROM audit_heads WHERE id < 8`,
      'missing at the beginning',
    ],
    ['takes the heads away', 'DELETE FROM audit_heads', 'no signed head'],
    [
      'takes the newest head away',
      'DELETE FROM audit_heads WHERE id = 16',
      'entry 16 is not signed',
    ],
    [
      'adds an entry without a key',
      `INSERT INTO audit (time_ms, operator, action, subject, reason, outcome, detail, hash)
       SELECT time_ms, 'eve', action, subject, reason, outcome, detail, hash FROM audit WHERE id = 16`,
      'entry 17 was changed',
    ],
    [
      'lets an entry be another',
      'UPDATE audit SET id = 999 WHERE id = 16',
      'entries 16 to 998 are missing',
    ],
  ])('%s: it is found', (_what, sql, sentence) => {
    expect(
      tampered((db) => db.exec(sql))
        .proof.problems.map((p) => p.sentence)
        .join(),
    ).toContain(sentence);
  });

  it('cannot sign: a head of another key is refused', () => {
    const other = newKey();
    const { proof } = tampered((db) => {
      db.exec('DELETE FROM audit WHERE id = 16; DELETE FROM audit_heads WHERE id = 16');
      const row = db.prepare('SELECT id, hash FROM audit WHERE id = 15').get();
      const head = signHead({ id: 15, hash: String(row?.['hash']), timeMs: 5, count: 9 }, other);
      db.exec('DELETE FROM audit_heads');
      const put = db.prepare(
        'INSERT INTO audit_heads (time_ms, id, hash, count, key, signature) VALUES (?, ?, ?, ?, ?, ?)',
      );
      put.run(5, 15, head.hash, 9, head.key, head.signature);
    });
    expect(first(proof)).toContain('signed by another key');
  });

  it('cannot put it back to an older day unseen by who kept a head', () => {
    const rig = someDays();
    const kept = must(readHead(JSON.stringify(rig.database && rig.open().head())));
    rig.database.db.exec(
      'DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE id > 12; DELETE FROM audit_heads WHERE id > 12',
    );
    rig.database.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    rig.database.close();
    const { keys } = rig;
    // What was signed on that day is whole again: only the head that lies elsewhere knows better.
    const alone = must(checkAuditFile(rig.path, { keys }));
    expect(alone.problems.map((p) => p.sentence).join()).toContain('missing at the beginning');
    const proof = must(checkAuditFile(rig.path, { keys, kept }));
    expect(proof.problems.map((p) => p.sentence)).toContain(
      'entries 13 to 16 are missing at the end',
    );
  });
});

describe('a broker whose log was changed', () => {
  it('while it ran, says so with its next entry, for ever', () => {
    const { audit, database, time } = openRig();
    for (let n = 0; n < 4; n += 1) audit.write(entry);
    database.db.exec('DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE id = 4');
    audit.write(entry);
    expect(audit.list(2)).toMatchObject([entry, { operator: 'broker', action: 'audit.broken' }]);
    expect(
      audit
        .verify()
        .problems.map((p) => p.sentence)
        .join(),
    ).toContain('the broker noticed');
    time.pass(DAY_MS);
    database.close();
  });

  it('while it did not run, says so at its start', () => {
    const { database, audit, open } = openRig();
    for (let n = 0; n < 4; n += 1) audit.write(entry);
    database.db.exec('DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE id = 4');
    const later = open();
    expect(later.list(1)).toMatchObject([{ operator: 'broker', action: 'audit.broken' }]);
    expect(later.verify().problems).not.toEqual([]);
    database.close();
  });

  it('does not mistake a transaction that was undone, or several entries in one, for it', () => {
    const { database, audit } = openRig();
    audit.write(entry);
    expect(() =>
      database.transact(() => {
        audit.write(entry);
        throw new Error('no');
      }),
    ).toThrow('no');
    database.transact(() => {
      audit.write(entry);
      audit.write(entry);
    });
    audit.write(entry);
    expect(audit.list(9).map(({ id, action }) => [id, action])).toEqual(
      [4, 3, 2, 1].map((id) => [id, entry.action]),
    );
    expect(audit.verify()).toMatchObject({ problems: [], entries: 4 });
    database.close();
  });

  it('tells what was added while no broker ran', () => {
    const { database, audit, open, time } = openRig();
    audit.write(entry);
    openAudit(database, time.clock, { auditEntries: () => {} }).write({
      ...entry,
      operator: 'eve',
    });
    const later = open();
    expect(later.list(1)).toMatchObject([{ action: 'audit.unsigned' }]);
    expect(
      later
        .verify()
        .problems.map((p) => p.sentence)
        .join(),
    ).toContain('entries 2 to 2');
    database.close();
  });

  it('tells that another key signs now, which is proved to whoever knows both', () => {
    const one = openRig();
    one.audit.write(entry);
    one.database.close();
    const two = openRig(one.dir, newKey());
    two.audit.write(entry);
    two.database.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    two.database.close();
    const copy = join(folder(), 'registry.db');
    cpSync(two.path, copy);
    const [both, alone] = [[...one.keys, ...two.keys], two.keys].map((keys) =>
      must(checkAuditFile(copy, { keys })),
    );
    expect([both?.problems, both?.entries, both?.notes.length]).toEqual([[], 3, 1]);
    expect(alone && first(alone)).toContain('give both with --key');
  });
});
