// The audit log over HTTP: who may, which entries, and that what is exported proves itself.

import { describe, expect, it } from 'vitest';
import { SCANNED_MAX } from '../../broker/audit-search.ts';
import { createExportCheck } from '../../protocol/audit-export.ts';
import { publicKeyText } from '../../protocol/commands.ts';
import { entry, openRig } from './audit-rig.ts';
import { must } from './fleet-rig.ts';
import { open } from './http-rig.ts';

type Page = { entries: { id: number; operator: string; action: string }[]; next?: number };

describe('asking the audit log', () => {
  it('finds by who, what, to what, outcome and time, page by page', async () => {
    const { audit, get, time } = await open();
    const start = time.clock.wallMs();
    for (const operator of ['kim', 'ada']) {
      for (const action of ['command.restart.create', 'commander', 'enrol']) {
        audit.write({ ...entry, operator, action, subject: `lane-${operator.length}` });
        time.pass(1_000);
      }
    }
    audit.write({ ...entry, operator: 'eve', outcome: 'refused 403' });
    const ids = async (query: string) => {
      const page = (await get(`/api/v1/audit?${query}`)).json<Page>();
      return [page.entries.map(({ id }) => id), page.next];
    };
    expect(await ids('operator=kim')).toEqual([[3, 2, 1], undefined]);
    expect(await ids('action=command')).toEqual([[7, 4, 1], undefined]);
    expect(await ids('action=command.restart.create&operator=ada')).toEqual([[4], undefined]);
    expect(await ids('outcome=refused')).toEqual([[7], undefined]);
    expect(await ids('subject=lane-3&limit=2')).toEqual([[6, 5], 5]);
    expect(await ids('subject=lane-3&limit=2&cursor=5')).toEqual([[4, 3], 3]);
    expect(await ids(`since=${start + 1_000}&until=${start + 2_500}`)).toEqual([[3, 2], undefined]);
    expect(await ids('operator=nobody')).toEqual([[], undefined]);
    for (const bad of ['since=x', 'cursor=-1', 'limit=0', 'other=1', 'operator=']) {
      expect((await get(`/api/v1/audit?${bad}`)).statusCode, bad).toBe(400);
    }
  });

  it('looks at so many rows at most and says where to go on', () => {
    const { audit, database } = openRig();
    database.transact(() => {
      for (let n = 0; n < SCANNED_MAX + 10; n += 1)
        audit.write({ ...entry, operator: n ? 'a' : 'b' });
    });
    const first = audit.page({ operator: 'b' }, undefined, 10);
    expect(first).toEqual({ entries: [], next: 11 });
    expect(audit.page({ operator: 'b' }, first.next, 10).entries.map(({ id }) => id)).toEqual([1]);
    database.close();
  });

  it('is for those who act, and taking all of it for admins, who then stand in it', async () => {
    const { app, as, audit, auditKey } = await open();
    const get = (url: string, role: 'viewer' | 'oncall' | 'admin') =>
      app.inject({ method: 'GET', url: `/api/v1/audit${url}`, headers: as(role) });
    expect((await get('/head', 'oncall')).statusCode).toBe(404);
    expect((await get('', 'viewer')).statusCode).toBe(403);
    expect((await get('/head', 'viewer')).statusCode).toBe(403);
    expect((await get('', 'oncall')).statusCode).toBe(200);
    expect((await get('/export', 'oncall')).statusCode).toBe(403);
    const answer = await get('/export', 'admin');
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
    ]);
    expect(audit.list(1)).toMatchObject([{ operator: 'admin', action: 'audit.export' }]);
    const check = createExportCheck([publicKeyText(auditKey)]);
    for (const line of answer.body.trimEnd().split('\n')) must(check.take(line));
    expect(must(check.end()).problems).toEqual([]);
    expect((await get('/head', 'oncall')).json()).toEqual(audit.head());
  });
});
