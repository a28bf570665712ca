// Every row of the table of what is kept (config-retention.ts) does what it says: `PROOFS` has an entry for each
// by type, so that a new row without one fails tsc.

import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { DAY_MS, RETENTION_DEFAULT, type RetentionSetting } from '../../broker/config-retention.ts';
import { openLedger } from '../../broker/ledger.ts';
import { openRetention, STEP_ROWS } from '../../broker/retention.ts';
import { folder, happened, quiet, START_MS } from './fleet-rig.ts';
import { HOUR, historyRig, load } from './history-rig.ts';
import { COMMANDS, open, restart } from './http-rig.ts';

type Settings = Partial<Record<keyof typeof RETENTION_DEFAULT, object>>;

/** A registry with commands, logs and audit behind it, and whoever lets go of what is old. */
async function kept(settings: Settings = {}, fleet: Parameters<typeof open>[0] = {}) {
  const api = await open(fleet);
  const retention = Object.fromEntries(
    Object.entries(RETENTION_DEFAULT).map(([name, group]) => [
      name,
      { ...group, ...settings[name as keyof Settings] },
    ]),
  ) as typeof RETENTION_DEFAULT;
  const { logs, metrics, time } = api;
  const { database } = api.fleet;
  // Days pass at once: the timers of a registry tick each second, and nobody waits for millions of them.
  let skippedMs = 0;
  const clock = { ...time.clock, wallMs: () => time.clock.wallMs() + skippedMs };
  const audit = openAudit(database, clock, metrics);
  const keeper = openRetention({
    ...{ database, retention, audit, logs, metrics, log: quiet },
    ...{ clock, timers: time.timers },
  });
  onTestFinished(keeper.stop);
  const count = (table: string, where = '1'): number =>
    Number(database.db.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${where}`).get()?.['n']);
  const event = (n: number) =>
    happened(START_MS + n, {
      kind: 'agent_stopping',
      component: '',
      fields: { reason: '', left: [] },
    });
  return {
    ...{ ...api, keeper, count, database, audit },
    /** Time passes, and a minute more in which what is due is done. */
    pass: (ms: number): void => {
      skippedMs += ms;
      time.pass(70_000);
    },
    /** What arrived last, arrived now. */
    young: (table: string, rows: number): void =>
      database.db.exec(
        `UPDATE ${table} SET received_ms = ${clock.wallMs()} WHERE id IN
           (SELECT id FROM ${table} ORDER BY id DESC LIMIT ${rows})`,
      ),
    events: (n: number): void => {
      for (let at = 0; at < n; at += 50) {
        api.terminals.events(
          'lane-1',
          ...Array.from({ length: Math.min(50, n - at) }, (_, i) => event(at + i)),
        );
      }
      api.fleet.drain();
    },
    garbage: (n: number): void => {
      for (let i = 0; i < n; i += 1)
        api.terminals.put('lane-1', 'events', new Uint8Array(9).fill(255));
      api.fleet.drain();
    },
    dropped: async (table: string): Promise<number> => {
      const page = await metrics.registry.metrics();
      const [, value] =
        new RegExp(`registry_dropped_total\\{table="${table}"\\} (\\d+)`).exec(page) ?? [];
      return Number(value ?? 0);
    },
    /** An answer that has come whole, as the registry remembers it. */
    answer: (bytes: number, changedMs: number, state = 'complete'): string => {
      const id = randomUUID();
      const record = {
        id,
        createdMs: changedMs,
        ...{ operator: 'kim', reason: 'why not', components: [], sinceMs: 0, untilMs: 1 },
        ...{
          bytesMax: 1_000,
          expiresMs: 0,
          sha256: '',
          redactions: 0,
          truncated: false,
          fromMs: 0,
        },
        terminal: 'lane-1',
        command: '',
        bytes,
        lines: 1,
        changedMs,
        state,
        error: '',
      };
      database.db
        .prepare('INSERT INTO log_requests VALUES (?, ?, ?, ?)')
        .run(id, 'lane-1', changedMs, JSON.stringify(record));
      mkdirSync(api.folder, { recursive: true });
      writeFileSync(join(api.folder, `${id}.log`), 'x'.repeat(bytes));
      return id;
    },
  };
}

const epoch = new Uint8Array(16).fill(1);
function ledgerOf(options: { bytesMax?: number; ageMsMax?: number }) {
  let nowMs = START_MS;
  const path = join(folder(), 'ledger.db');
  const ledger = openLedger({ path, clock: { wallMs: () => nowMs }, ...options });
  onTestFinished(ledger.close);
  let seq = 0;
  const append = (bytes: number) => {
    seq += 1;
    const batch = { epoch, stream: 'metrics' as const, seq };
    return ledger.append([{ terminal: 'lane-1', batch, bytes: new Uint8Array(bytes).fill(seq) }]);
  };
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { ledger, append, pass };
}

const PROOFS: Record<RetentionSetting, () => void | Promise<void>> = {
  'ledger.days': () => {
    const { ledger, append, pass } = ledgerOf({ ageMsMax: DAY_MS });
    for (let i = 0; i < 10; i += 1) append(10);
    ledger.setFollowed('registry', 10);
    ledger.setFollowed('history', 4);
    pass(2 * DAY_MS);
    append(10);
    expect(ledger.readAfter(0, 100).map(({ id }) => id)[0]).toBe(5);
  },
  'ledger.bytesMax': () => {
    const { ledger, append } = ledgerOf({ bytesMax: 1024 * 1024 });
    ledger.setFollowed('history', 0);
    let taken = 0;
    while (append(50_000).ok) taken += 1;
    expect(taken).toBeGreaterThan(5);
    expect(ledger.readAfter(0, 1_000)).toHaveLength(taken);
    expect(ledger.stats().failing).toBeDefined();
    ledger.setFollowed('history', taken);
    expect(append(50_000).ok).toBe(true);
  },
  'events.days': async () => {
    const rig = await kept({ events: { days: 2 } });
    rig.events(500);
    rig.pass(DAY_MS);
    rig.events(7);
    rig.young('events', 7);
    rig.pass(1.5 * DAY_MS);
    expect(rig.count('events')).toBe(7);
    expect(await rig.dropped('events')).toBe(500);
  },
  'events.rowsMax': async () => {
    const rig = await kept({}, { eventsMax: 100 });
    rig.events(500);
    rig.events(1);
    expect(rig.count('events')).toBe(100);
  },
  'registry.bytesMax': async () => {
    const rig = await kept({}, { bytesMax: 256 * 1024 });
    for (let i = 0; i < 5; i += 1) rig.events(500);
    expect(rig.count('events')).toBeLessThan(2_500);
    expect(await rig.dropped('events')).toBeGreaterThan(0);
  },
  'registry.commandDays': async () => {
    const rig = await kept({ registry: { commandDays: 3 } });
    await rig.post(COMMANDS, { ...restart, expiresMs: 1_000 });
    await rig.post(COMMANDS, { ...restart, expiresMs: 604_800_000 });
    rig.pass(2 * DAY_MS);
    expect(rig.count('commands')).toBe(2);
    rig.pass(2 * DAY_MS);
    // The open one is a promise that is kept.
    expect([rig.count('commands'), rig.count('commands', 'open = 1')]).toEqual([1, 1]);
    expect(await rig.dropped('commands')).toBe(1);
  },
  'registry.commandsMax': async () => {
    const rig = await kept({ registry: { commandsMax: 3 } });
    for (let i = 0; i < 9; i += 1) await rig.post(COMMANDS, { ...restart, expiresMs: 1_000 });
    rig.pass(0);
    expect(rig.count('commands')).toBe(3);
  },
  'deadLetters.days': async () => {
    const rig = await kept({ deadLetters: { days: 5 } });
    rig.garbage(3);
    rig.pass(4 * DAY_MS);
    rig.garbage(2);
    rig.young('dead_letters', 2);
    rig.pass(2 * DAY_MS);
    expect(rig.count('dead_letters')).toBe(2);
    expect(await rig.dropped('dead_letters')).toBe(3);
  },
  'deadLetters.rowsMax': async () => {
    const rig = await kept({}, { lettersMax: 4 });
    rig.garbage(70);
    rig.garbage(1);
    expect(rig.count('dead_letters')).toBe(4);
  },
  'logs.days': async () => {
    const rig = await kept({ logs: { days: 3 } });
    const old = rig.answer(100, START_MS);
    const open = rig.answer(100, START_MS, 'open');
    const young = rig.answer(100, START_MS + 2 * DAY_MS);
    rig.pass(4 * DAY_MS);
    const reply = await rig.get(`/api/v1/logs/${old}/content`);
    expect([reply.statusCode, reply.json().detail]).toEqual([
      410,
      expect.stringContaining('ask again'),
    ]);
    expect((await rig.get(`/api/v1/logs/${old}`)).json()).toMatchObject({
      state: 'expired',
      bytes: 0,
    });
    expect((await rig.get(`/api/v1/logs/${young}/content`)).body).toHaveLength(100);
    // Its command is not kept, so it has ended as well.
    expect((await rig.get(`/api/v1/logs/${open}`)).json()).toMatchObject({ state: 'expired' });
    expect(await rig.dropped('log_answers')).toBe(2);
  },
  'logs.bytesMax': async () => {
    const rig = await kept({ logs: { bytesMax: 250 } });
    const ids = [1, 2, 3, 4].map((n) => rig.answer(100, START_MS + n));
    rig.pass(0);
    const states = await Promise.all(
      ids.map(async (id) => (await rig.get(`/api/v1/logs/${id}`)).json().state),
    );
    expect(states).toEqual(['expired', 'expired', 'complete', 'complete']);
  },
  'logs.requestsMax': async () => {
    const rig = await kept();
    for (let i = 0; i < 12; i += 1) rig.answer(1, START_MS);
    const ask = { sinceMs: 0, untilMs: 1, reason: 'why not' };
    const reply = await rig.post('/api/v1/terminals/lane-1/logs', ask);
    expect(reply.statusCode).toBe(202);
    expect(rig.count('log_requests')).toBe(10);
  },
  'history.days': () => {
    const rig = historyRig({ daysMax: 1 });
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    rig.pass(3 * HOUR);
    expect(rig.store.blocks()).toBe(1);
    rig.pass(24 * HOUR);
    expect(rig.store.blocks()).toBe(0);
  },
  'history.bytesMax': () => {
    const rig = historyRig({ bytesMax: 16 * 4096 });
    for (let hour = 60; hour > 0; hour -= 1)
      rig.terminals.metrics('lane-1', load(START_MS - hour * HOUR, 1));
    rig.pass(3 * HOUR);
    const all = rig.store.blocks();
    expect(all).toBeLessThanOrEqual(60);
    expect(rig.engine.figures().bytes).toBeLessThanOrEqual(16 * 4096);
  },
  'audit.days': async () => {
    const rig = await kept();
    const { audit } = rig;
    const entry = { operator: 'kim', action: 'x', subject: 'y', reason: '', outcome: 'ok' };
    rig.database.transact(() => {
      for (let i = 0; i < 250; i += 1) audit.write(entry);
    });
    rig.pass(300 * DAY_MS);
    audit.write(entry);
    rig.pass(102 * DAY_MS);
    expect(rig.count('audit')).toBe(1);
    expect(audit.verify()).toBeUndefined();
    audit.write(entry);
    expect(audit.verify()).toBeUndefined();
    expect(await rig.dropped('audit')).toBe(250);
    expect(() => rig.database.db.exec('DELETE FROM audit')).toThrow('append-only');
  },
  'audit.bytesMax': async () => {
    const rig = await kept({ audit: { bytesMax: 1_000 } });
    const entry = { operator: 'kim', action: 'x', subject: 'y', reason: '', outcome: 'ok' };
    for (let i = 0; i < 20; i += 1) rig.audit.write(entry);
    rig.pass(0);
    expect(rig.count('audit')).toBe(20);
    expect(await rig.metrics.registry.metrics()).toContain('retention_over_bound{table="audit"} 1');
  },
};

test.each(Object.entries(PROOFS))('%s', async (_setting, proof) => {
  await proof();
});

describe('letting go', () => {
  it('is done in small steps', async () => {
    const rig = await kept({ events: { days: 1 } });
    rig.events(3 * STEP_ROWS);
    rig.keeper.stop();
    rig.pass(2 * DAY_MS);
    expect(rig.count('events')).toBe(3 * STEP_ROWS);
    expect(rig.keeper.step()).toBe(STEP_ROWS);
    expect(rig.count('events')).toBe(2 * STEP_ROWS);
  });

  it('leaves an audit log in which a removed entry is still found', async () => {
    const rig = await kept();
    const entry = { operator: 'kim', action: 'x', subject: 'y', reason: '', outcome: 'ok' };
    for (let i = 0; i < 5; i += 1) rig.audit.write(entry);
    rig.pass(402 * DAY_MS);
    for (let i = 0; i < 5; i += 1) rig.audit.write(entry);
    rig.database.db.exec('DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE id = 6');
    expect(rig.audit.verify()).toBe(7);
  });
});
