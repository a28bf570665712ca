// The room of maintenances with a fleet, a queue and bulk actions that only write down what they were asked; clocks move by
// hand and tills answer when a test says so.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Database, openDatabase } from '../../broker/fleet/database.ts';
import { newTerminal } from '../../broker/fleet/model.ts';
import { type MaintenanceOptions, openMaintenances } from '../../broker/maintenance/room.ts';
import { folder, quiet } from './fleet-rig.ts';

export const HOUR = 3_600_000;
export const MINUTE = 60_000;
// 03:00 in Berlin on a Sunday is an hour and a half later.
export const START = Date.parse('2026-01-25T00:30:00Z');
export const ADA = { name: 'ada', role: 'admin' } as const;

export type BulksSeen = Map<
  string,
  {
    kind: string;
    terminals: readonly string[];
    state: string;
    lastsMs?: number;
    startedMs?: number;
  }
>;
type Sent = { id: string; kind: string; terminal: string; args: Record<string, unknown> };

type Planned = { kind: string; selector: { terminals: readonly string[] }; lastsMs: number };

/** The room with a fleet, a queue and bulk actions that only write down; tills answer when told to. */
export function open(
  tills: Readonly<Record<string, string>>,
  before?: { database: Database; wall: number; bulks?: BulksSeen },
) {
  const made = before ? undefined : openDatabase(join(folder(), 'r.db'), (database) => database);
  if (made?.ok === false) throw new Error(made.reason);
  const database = before?.database ?? (made?.ok ? made.value : undefined);
  if (database === undefined) throw new Error('no database');
  const time = { wall: before?.wall ?? START, monotonic: 1_000 };
  const away = new Set<string>();
  const sent: Sent[] = [];
  const audit: { action: string; operator: string; subject: string; outcome: string }[] = [];
  const bulks: BulksSeen = before?.bulks ?? new Map();
  /** As if the broker were killed there. */
  let dies: 'planned' | 'kept' | undefined;
  const observed: string[] = [];
  /** Who holds a till by themselves, as it says. */
  const holders: Record<string, { by: string; untilMs: number }> = {};
  /** Where no file says another one. */
  const zones: Record<string, string> = {};
  const models = Object.entries(tills).map(([id, store]) => ({
    ...newTerminal(id, store, true),
    timeZone: 'Europe/Berlin',
  }));
  let finished: (of: never) => void = () => undefined;
  let tick: () => void = () => undefined;
  let refused: string | undefined;
  const series: Record<
    string,
    (id: string, model: never) => readonly { name: string; value: number }[]
  > = {};
  const options = {
    fleet: {
      ...{ database, models: () => models },
      observeNow: (id: string) => void observed.push(id),
      view: (id: string) => ({ held: holders[id] }),
      connected: () => models.filter(({ id }) => !away.has(id)),
      isConnected: (id: string) => id in tills && !away.has(id),
      storeOf: (id: string) => tills[id] ?? 'unassigned',
      timeZoneOf: () => 'Europe/Berlin',
      ...{ describeBy: () => undefined, observeStores: () => undefined },
      observeBy: (of: never) => {
        series['terminal'] = of;
      },
    },
    stores: {
      ...{
        zoneOf: (store: string) => zones[store],
        regionOf: () => undefined,
        file: () => undefined,
      },
      ...{ files: () => [], leaveOutBy: () => undefined },
    },
    commands: {
      createOwn: (kind: string, terminal: string, args: Record<string, unknown>) => {
        if (refused !== undefined) return { ok: false, kind: 'too_many', reason: refused };
        const id = randomUUID();
        sent.push({ id, kind, terminal, args });
        return { ok: true, id, state: 'sent', trace: '' };
      },
      onFinished: (listener: never) => {
        finished = listener;
      },
    },
    bulks: {
      plan: ({ kind, selector, lastsMs }: Planned) => {
        if (refused !== undefined) return { ok: false, kind: 'too_many', reason: refused };
        const id = randomUUID();
        bulks.set(id, { kind, terminals: selector.terminals, state: 'planned', lastsMs });
        if (dies === 'planned') throw new Error('killed');
        return { ok: true, view: { id, kind, count: selector.terminals.length } };
      },
      start: (id: string) => {
        if (dies === 'kept') throw new Error('killed');
        const bulk = bulks.get(id);
        if (bulk) bulks.set(id, { ...bulk, state: 'running', startedMs: time.wall });
        return { ok: true };
      },
      abort: (id: string) => {
        const bulk = bulks.get(id);
        if (bulk) bulks.set(id, { ...bulk, state: 'aborted' });
        return { ok: true };
      },
      get: (id: string) => {
        const bulk = bulks.get(id);
        return bulk && { ...bulk, id, count: bulk.terminals.length };
      },
    },
    audit: { write: (entry: (typeof audit)[number]) => void audit.push(entry) },
    clock: { wallMs: () => time.wall, monotonicMs: () => time.monotonic },
    timers: {
      every: (_ms: number, run: () => void) => {
        tick = run;
        return () => undefined;
      },
    },
    ...{ metrics: { dropped: () => undefined }, log: quiet },
  };
  const room = openMaintenances(options as unknown as MaintenanceOptions);
  const pass = (ms: number): void => {
    time.wall += ms;
    time.monotonic += ms;
    for (let at = 0; at < 6; at += 1) tick();
  };
  const answer = (of: Sent, state = 'succeeded', reason = ''): void =>
    finished({ command: of.id, terminal: of.terminal, state, reason } as never);
  return {
    ...{ room, time, away, sent, audit, bulks, pass, answer, database, zones, holders, observed },
    dieWhen: (at: typeof dies) => {
      dies = at;
    },
    refuse: (why: string | undefined) => {
      refused = why;
    },
    start: (scope: 'store' | 'terminal', subject: string, forMs = HOUR) =>
      room.start({ scope, subject, forMs, reason: 'floor works', actor: ADA }),
    end: (scope: 'store' | 'terminal', subject: string) =>
      room.end({ scope, subject, reason: 'done early', actor: ADA }),
    /** What was told since the last look, as `kind terminal`. */
    told: () => sent.splice(0).map(({ kind, terminal }) => `${kind} ${terminal}`),
    muted: (id: string) => {
      const model = models.find((one) => one.id === id);
      return series['terminal']?.(id, model as never)[0]?.value;
    },
    running: () => room.list(0),
  };
}
export const TWO = { 'lane-1': 's-1', 'lane-2': 's-1', 'lane-9': 's-2' };
