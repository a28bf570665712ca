import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAudit, REFUSALS_PER_MINUTE_MAX } from '../../broker/audit.ts';
import { openDatabase } from '../../broker/fleet/database.ts';
import { fakeTime, folder, must } from './fleet-rig.ts';

function open() {
  const database = must(openDatabase(join(folder(), 'registry.db'), (opened) => opened));
  onTestFinished(() => database.close());
  const time = fakeTime();
  let counted = 0;
  const audit = openAudit(database, time.clock, {
    auditEntries: () => {
      counted += 1;
    },
  });
  return { database, audit, time, counted: () => counted };
}
const entry = {
  operator: 'kim',
  action: 'command.restart.create',
  subject: 'lane-1',
  reason: 'till hangs',
  outcome: 'queued',
  detail: { component: 'sale' },
};

describe('the audit log', () => {
  it('keeps who did what to which terminal, and why, newest first', () => {
    const { audit, time, counted } = open();
    audit.write(entry);
    time.pass(5);
    audit.write({ ...entry, operator: 'ada' });
    expect(audit.list(10)).toMatchObject([{ operator: 'ada' }, { ...entry, id: 1 }]);
    expect(audit.list(1)).toHaveLength(1);
    expect(counted()).toBe(2);
  });

  it.each([
    "UPDATE audit SET operator = 'nobody'",
    'DELETE FROM audit',
    "INSERT OR REPLACE INTO audit SELECT 1, 0, 'x', '', '', '', '', '{}', ''",
    "REPLACE INTO audit SELECT 1, 0, 'x', '', '', '', '', '{}', ''",
  ])('refuses %s', (sql) => {
    const { database, audit } = open();
    audit.write(entry);
    expect(() => database.db.exec(sql)).toThrow(/append-only/);
    expect(audit.list(10)).toMatchObject([entry]);
    expect(audit.verify().problems).toEqual([]);
  });

  it('shows where an entry was changed or taken out behind its back', () => {
    const { database, audit } = open();
    for (const operator of ['a', 'b', 'c', 'd']) audit.write({ ...entry, operator });
    expect(audit.verify().problems).toEqual([]);
    database.db.exec("DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE operator = 'b'");
    expect(audit.verify().problems[0]?.id).toBe(3);
  });

  it('shares the fate of the transaction that it is written in', () => {
    const { database, audit, counted } = open();
    const work = (): void => {
      audit.write(entry);
      throw new Error('something else went wrong');
    };
    expect(() => database.transact(work)).toThrow('something else');
    expect([audit.list(10), counted()]).toEqual([[], 0]);
  });

  it('is not filled by whoever knocks: refusals beyond the limit are counted in the next one', () => {
    const { audit, time } = open();
    const refusal = { ...entry, outcome: 'refused 401' };
    for (let i = 0; i < REFUSALS_PER_MINUTE_MAX + 40; i += 1) audit.refuse(refusal);
    expect(audit.list(1_000)).toHaveLength(REFUSALS_PER_MINUTE_MAX);
    // Another kind of door has room of its own.
    audit.refuse({ ...refusal, action: 'connection.refuse' });
    expect(audit.list(1)).toMatchObject([{ action: 'connection.refuse' }]);
    time.pass(60_000);
    audit.refuse(refusal);
    expect(audit.list(1)[0]?.detail).toMatchObject({ suppressed: 40 });
  });

  it('keeps its chain whole where a text ends, or is sent, with half a character', () => {
    const { audit } = open();
    const halves = ['\ud83d', `${'x'.repeat(499)}😀`, 'a\u0000b', '\ufffd\ufeff'];
    for (const reason of halves) audit.write({ ...entry, reason, detail: { reason } });
    expect(audit.list(10)).toHaveLength(4);
    expect(audit.verify().problems).toEqual([]);
  });

  it('cuts what is too long instead of failing', () => {
    const { audit } = open();
    const long = 'x'.repeat(100_000);
    audit.write({ ...entry, operator: long, reason: long, detail: { long } });
    expect(audit.list(1)[0]).toMatchObject({ operator: 'x'.repeat(128), reason: 'x'.repeat(500) });
    expect(JSON.stringify(audit.list(1)[0]).length).toBeLessThan(3_000);
  });
});
