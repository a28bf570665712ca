import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openDatabase } from '../../broker/fleet/database.ts';
import { createMetrics } from '../../broker/metrics.ts';
import { addFirstOperator } from '../../broker/operators/first.ts';
import { openOperators } from '../../broker/operators/operators.ts';
import { parseOperatorToken } from '../../protocol/operators.ts';
import { fakeTime, folder, must } from './fleet-rig.ts';
import { BY, HERE, operatorRig } from './operators-rig.ts';

describe('the operators', () => {
  it('are listed without a secret, by name', async () => {
    const { add, get, enter } = operatorRig();
    const kim = await add('kim', 'admin');
    await add('ada', 'viewer');
    await enter(kim);
    expect(get().list()).toMatchObject([
      { name: 'ada', role: 'viewer', enabled: true, createdBy: 'root', signedInMs: undefined },
      { name: 'kim', role: 'admin', enabled: true, signedInMs: expect.any(Number) },
    ]);
    expect(JSON.stringify(get().list())).not.toMatch(/scrypt|secret/);
  });

  it.each([
    ...['', 'Kim', 'kim meyer', 'kim\n', 'a'.repeat(65), '.kim', 'kim/../x', 'kim"', 'kím'],
    ...['api-token', 'broker', 'unknown'],
  ])('have no name like %j', async (name) => {
    const { get, audit } = operatorRig();
    expect(await get().add(name, 'viewer', BY)).toMatchObject({ ok: false, kind: 'invalid' });
    expect(audit().list(1)).toEqual([]);
  });

  it('have a name once, also when two ask for it at once', async () => {
    const { get } = operatorRig();
    const both = await Promise.all([get().add('kim', 'admin', BY), get().add('kim', 'viewer', BY)]);
    expect(both.map(({ ok }) => ok).sort()).toEqual([false, true]);
    expect(get().list()).toHaveLength(1);
  });

  it('keep an admin: the last one is neither disabled nor given a lower role', async () => {
    const { add, get } = operatorRig();
    await add('kim', 'admin');
    await add('ada', 'oncall');
    expect(get().change('kim', { enabled: false }, BY)).toMatchObject({ kind: 'conflict' });
    expect(get().change('kim', { role: 'oncall' }, BY)).toMatchObject({ kind: 'conflict' });
    expect(get().change('ada', { role: 'admin' }, BY)).toMatchObject({ ok: true });
    expect(get().change('kim', { role: 'viewer' }, BY)).toMatchObject({ ok: true });
    expect(get().change('ada', { enabled: false }, BY)).toMatchObject({ kind: 'conflict' });
  });

  it('that are disabled do not count as an admin who is left', async () => {
    const { add, get } = operatorRig();
    await add('kim', 'admin');
    await add('ada', 'admin');
    expect(get().change('ada', { enabled: false }, BY)).toMatchObject({ ok: true });
    expect(get().change('kim', { role: 'viewer' }, BY)).toMatchObject({ kind: 'conflict' });
  });

  it('stay as they were when the change cannot be written', async () => {
    const { add, get, database } = operatorRig();
    await add('kim', 'admin');
    await add('ada', 'viewer');
    database().db.exec('PRAGMA query_only = ON');
    expect(get().change('ada', { role: 'admin' }, BY)).toMatchObject({ kind: 'unavailable' });
    expect(await get().add('lee', 'viewer', BY)).toMatchObject({ kind: 'unavailable' });
    database().db.exec('PRAGMA query_only = OFF');
    expect(
      get()
        .list()
        .map(({ name, role }) => `${name} ${role}`),
    ).toEqual([...['ada viewer', 'kim admin']]);
  });

  it('and every change of them are in the audit log, with who did it', async () => {
    const { add, get, audit, reopen } = operatorRig();
    await add('kim', 'admin');
    await add('ada', 'viewer');
    get().change('ada', { role: 'oncall' }, BY);
    get().change('ada', { role: 'oncall' }, BY);
    get().change('ada', { enabled: false }, BY);
    get().change('ada', { enabled: true }, BY);
    await get().newToken('ada', BY);
    expect(
      audit()
        .list(20)
        .map(({ operator, action, subject }) => `${operator} ${action} ${subject}`)
        .reverse(),
    ).toEqual([
      'root operator.add kim',
      'root operator.add ada',
      'root operator.role ada',
      'root operator.disable ada',
      'root operator.enable ada',
      'root operator.token ada',
    ]);
    expect(reopen().list()).toMatchObject([{ name: 'ada', role: 'oncall' }, { name: 'kim' }]);
  });

  it('lose their old token with a new one', async () => {
    const { add, get } = operatorRig();
    const kim = await add('kim', 'admin');
    const renewed = await get().newToken('kim', BY);
    const secret = renewed.ok ? (parseOperatorToken(renewed.token)?.secret ?? '') : '';
    expect(await get().signIn('kim', kim.secret, HERE)).toMatchObject({ ok: false });
    expect(await get().signIn('kim', secret, HERE)).toMatchObject({ ok: true });
    expect(await get().newToken('lee', BY)).toMatchObject({ kind: 'unknown' });
  });
});

describe('the first operator', () => {
  it('is an admin, whose token signs in; there is no second first one', async () => {
    const dir = join(folder(), 'data');
    const token = must(addFirstOperator(dir, 'kim'));
    expect(statSync(join(dir, 'registry.db')).mode & 0o077).toBe(0);
    expect(addFirstOperator(dir, 'ada')).toMatchObject({
      ok: false,
      reason: expect.stringContaining('operators already'),
    });
    expect(addFirstOperator(folder(), 'No Name')).toMatchObject({ ok: false });
    const time = fakeTime();
    const metrics = createMetrics('1.0');
    const database = must(openDatabase(join(dir, 'registry.db'), (opened) => opened));
    const audit = openAudit(database, time.clock, metrics);
    expect(audit.verify().problems).toEqual([]);
    const operators = openOperators({ database, audit, metrics, ...time });
    const { name = '', secret = '' } = parseOperatorToken(token) ?? {};
    expect(await operators.signIn(name, secret, HERE)).toMatchObject({ ok: true, name: 'kim' });
    expect(operators.list()).toMatchObject([{ name: 'kim', role: 'admin', createdBy: 'broker' }]);
    operators.close();
    database.close();
  });
});
