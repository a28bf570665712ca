// What a restore changes in the databases before a broker may use them, and what that broker says of it: nothing that
// stops a till goes out by itself, and the entry about the gap is whole however much there is to say.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { changeTables } from '../../broker/backup/restore-tables.ts';
import { tellRestored, writeRestored } from '../../broker/backup/restored.ts';
import { enqueue, type QueuedCommand, step } from '../../broker/commands/queue.ts';
import type { Version } from '../../broker/configurations/model.ts';
import type { Meant } from '../../broker/configurations/resolve.ts';
import { type Known, standingOf } from '../../broker/configurations/standing.ts';
import type { Configured } from '../../broker/fleet/queries.ts';
import type { CommandContent } from '../../protocol/commands.ts';
import { folder } from './fleet-rig.ts';

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

const commandOf = (id: string, content: CommandContent): QueuedCommand =>
  enqueue({
    ...{ id, terminal: 'lane-1', issuedMs: NOW, expiresMs: NOW + 7 * 24 * HOUR_MS, ...content },
    ...{ operator: 'ada', reason: 'stuck', traceparent: '' },
  });

function tablesWith(commands: readonly QueuedCommand[]) {
  const dir = folder();
  const pathOf = (name: string): string => join(dir, `${name}.db`);
  const ledger = new DatabaseSync(pathOf('ledger'));
  ledger.exec('CREATE TABLE meta (key TEXT PRIMARY KEY, value)');
  ledger.prepare("INSERT INTO meta VALUES ('generation', ?)").run(randomBytes(16));
  ledger.close();
  const db = new DatabaseSync(pathOf('registry'));
  db.exec('CREATE TABLE commands (id TEXT PRIMARY KEY, open INTEGER, model TEXT)');
  const insert = db.prepare('INSERT INTO commands VALUES (?, 1, ?)');
  for (const one of commands) insert.run(one.command.id, JSON.stringify(one));
  db.close();
  return {
    change: (resumeCommands: boolean) =>
      changeTables({
        ...{ pathOf, logsDir: dir, revoked: [], nowMs: NOW + HOUR_MS, backupMs: NOW },
        resumeCommands,
      }),
    read: (id: string): QueuedCommand & { open: number } => {
      const of = new DatabaseSync(pathOf('registry'));
      const row = of.prepare('SELECT open, model FROM commands WHERE id = ?').get(id);
      of.close();
      return { ...JSON.parse(String(row?.['model'])), open: row?.['open'] };
    },
  };
}

const sale = { component: 'sale' } as const;
const restart = commandOf('a', { kind: 'restart', arguments: sale });
const all = [
  restart,
  step(commandOf('b', { kind: 'reboot', arguments: {} }), { kind: 'terminal_ready' }, NOW).queued,
  commandOf('c', { kind: 'purge_logs', arguments: { beforeMs: NOW } }),
  commandOf('d', { kind: 'probe', arguments: sale }),
  commandOf('e', {
    kind: 'trust',
    arguments: { version: 2, authorities: ['x'], commandKeys: ['y'] },
  }),
  { ...commandOf('f', { kind: 'restart', arguments: sale }), state: 'running' as const },
];

it('commands that stop a till or need an admin are taken back, and the till’s word corrects it', () => {
  const tables = tablesWith(all);
  const { commandsEnded, commandsOpen } = tables.change(false);
  expect(commandsEnded.map(({ command }) => command)).toEqual(['a', 'b', 'c']);
  expect(commandsOpen).toBe(3);
  const states = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => {
    const { state, open } = tables.read(id);
    return [state, open];
  });
  const taken = ['cancelled', 0];
  expect(states).toEqual([taken, taken, taken, ['pending', 1], ['pending', 1], ['running', 1]]);
  // It was done after the backup, and the till tells it again.
  const done = { commandId: 'a', state: 'succeeded' as const, reason: '', timeMs: NOW, detail: {} };
  const corrected = step(tables.read('a'), { kind: 'result', result: done }, NOW + 2 * HOUR_MS);
  expect(corrected.queued.state).toBe('succeeded');
  expect(tables.read('a').history.at(-1)?.reason).toContain('a backup of 2027-01-15T08:00:00.000Z');
});

it('whoever wants them to go out says so', () => {
  const tables = tablesWith(all);
  expect(tables.change(true)).toMatchObject({ commandsEnded: [], commandsOpen: 6 });
  expect(tables.read('a').state).toBe('pending');
});

it('the gap is told whole, with an entry for each who was revoked and each command', () => {
  const dir = folder();
  const many = Array.from({ length: 900 }, (_, at) => `lane-${at}`);
  writeRestored(dir, {
    ...{ backupMs: NOW, restoredMs: NOW + HOUR_MS, from: 'a', newestAudit: 7, without: [] },
    ...{ revoked: many, bulksPaused: 0, tokensEnded: 0 },
    commandsEnded: [{ command: 'a', terminal: 'lane-1', kind: 'restart' }],
  });
  const entries: { action: string; subject: string; detail?: object }[] = [];
  const db = new DatabaseSync(':memory:');
  const told = tellRestored(
    dir,
    { db, transact: (work) => ({ ok: true, value: work() }) },
    { write: (entry) => ({ ok: true, value: void entries.push(entry) }) },
  );
  expect(told.ok).toBe(true);
  const [gap, ...others] = entries;
  expect(gap?.action).toBe('broker.restore');
  expect(JSON.stringify(gap?.detail).length).toBeLessThan(4_096);
  expect(gap?.detail).toMatchObject({ newestAudit: 7, revokedCount: 900, commandsEnded: 1 });
  expect(others.map(({ action }) => action)).toEqual([
    ...many.map(() => 'terminal.revoke'),
    'command.restart.cancel',
  ]);
});

it('a version that was released after the backup is ahead, and no till is sent back by itself', () => {
  const meant = { name: 'all', version: 7, sha256: '7', scope: { rank: 'all' } } as Meant;
  const at = { id: 'lane-1', store: 's', region: undefined, labels: [] };
  const known = (isRestored: boolean): Known => ({
    ...{ resolve: () => ({ kind: 'one', meant }), givenUp: () => undefined, isRestored },
    versionsOf: (name) =>
      name === 'all' ? [{ ...meant, state: 'released', startedMs: NOW } as unknown as Version] : [],
  });
  const stateOf = (version: number, isRestored: boolean): string => {
    const running = { ...{ state: 'kept', name: 'all', version }, sha256: `${version}` };
    const configured = { running, refused: undefined } as unknown as Configured;
    return standingOf(at, configured, known(isRestored)).state;
  };
  expect([8, 7, 6].map((version) => stateOf(version, true))).toEqual([
    'ahead',
    'running',
    'behind',
  ]);
  expect(stateOf(8, false)).toBe('behind');
});
