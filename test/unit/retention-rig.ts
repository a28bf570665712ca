// A registry with commands, logs and audit behind it, and whoever lets go of what is old, on a clock that jumps.

import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { RETENTION_DEFAULT } from '../../broker/config-retention.ts';
import { openRetention } from '../../broker/retention.ts';
import { happened, quiet, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';

type Settings = Partial<Record<keyof typeof RETENTION_DEFAULT, object>>;

export async function kept(settings: Settings = {}, fleet: Parameters<typeof open>[0] = {}) {
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
