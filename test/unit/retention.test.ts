// Every row of the table of what is kept (config-retention.ts) does what it says: `PROOFS` has an entry for each
// by type, so that a new row without one fails tsc.

import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { DAY_MS, type RetentionSetting } from '../../broker/config-retention.ts';
import { openLedger } from '../../broker/ledger.ts';
import { STEP_ROWS } from '../../broker/retention.ts';
import { folder, START_MS } from './fleet-rig.ts';
import { HOUR, historyRig, load } from './history-rig.ts';
import { COMMANDS, restart } from './http-rig.ts';
import { kept } from './retention-rig.ts';

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
    expect(audit.verify().problems).toEqual([]);
    audit.write(entry);
    expect(audit.verify().problems).toEqual([]);
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
    expect(rig.audit.verify().problems[0]?.id).toBe(7);
  });
});
