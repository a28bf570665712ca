// A real agent that is killed again and again while its component crashes, prints and is upgraded: what was told
// never falls, every line was counted once, and the upgrade is told once. Read from its own outbox.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { Rig, until } from '../real/agent-rig.ts';
import { realClock } from '../real/link-rig.ts';
import { drain, eventsOf, quietLog, snapshotsOf } from '../unit/outbox-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

const printer = (version: string, lines: number, then: string) => ({
  name: 'sale',
  version,
  channel: false,
  command: [
    'sh',
    '-c',
    `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "offline $i"; printf x >> ${join(rig.folder, 'truth')}; echo fine; sleep 0.05; done; ${then}`,
  ],
  backoff: { minMs: 100, maxMs: 300, stableMs: 60_000 },
  budget: { restarts: 500, windowMs: 3_600_000 },
  counters: [{ name: 'offline_total', pattern: '^offline \\d+$' }],
});
const sampling = { everyMs: 300, sendMs: 1_000 };

/** As the component itself counts them: old files of its output are given up. */
const printed = (): number => readFileSync(join(rig.folder, 'truth'), 'utf8').length;

const starts = (): number =>
  rig.lines('sale').filter(({ message }) => message.startsWith('sale started')).length;

const counted = (): number => {
  const text = readFileSync(join(rig.folder, 'data', 'tallies.json'), 'utf8');
  const { components } = JSON.parse(text) as {
    components: Record<string, { counters: Record<string, { count: number }[]> }>;
  };
  const sets = components['sale']?.counters['offline_total'] ?? [];
  return sets.reduce((sum, { count }) => sum + count, 0);
};

function told() {
  const path = join(rig.folder, 'data', 'outbox.db');
  const outbox = openOutbox({
    path,
    bytesMax: 64 * 1024 * 1024,
    clock: realClock,
    log: quietLog(),
  });
  try {
    const batches = drain(outbox);
    const of = (stream: string) => batches.filter((batch) => batch.stream === stream);
    const snapshots = of('metrics').flatMap(snapshotsOf);
    return { snapshots, events: of('events').flatMap(eventsOf) };
  } finally {
    outbox.close();
  }
}

const COUNTED_BY_US =
  /^(app_offline_total|pos_component_(restarts|failures|operational_seconds|stable_seconds)_total)$/;

function falls(snapshots: readonly Snapshot[]): string[] {
  const last = new Map<string, number>();
  const found: string[] = [];
  for (const { samples } of snapshots.toSorted((a, b) => a.timeMs - b.timeMs)) {
    for (const { name, labels, value } of samples) {
      if (!COUNTED_BY_US.test(name)) continue;
      const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
      if (value < (last.get(key) ?? 0)) found.push(`${key}: ${last.get(key)} -> ${value}`);
      last.set(key, value);
    }
  }
  return found;
}

it('counters survive kills and an upgrade, and no line is counted twice', async () => {
  for (const lives of [3, 5]) {
    rig.configure([printer('1.0', 15, 'exit 1')], { sampling });
    const ended = rig.start();
    await until('it crashed again', () => starts() >= lives);
    await sleep(Math.random() * 700);
    rig.agent?.kill('SIGKILL');
    await ended;
  }
  // What still runs is version 1.0 and crashes; what follows is the new one.
  rig.configure([printer('2.0', 5, 'exec sleep 600')], { sampling });
  const ended = rig.start();
  const before = starts();
  await until('the new one runs', () => starts() > before);
  await sleep(2_000);
  await until('all lines are counted', () => counted() === printed(), 20_000);
  await sleep(1_000);
  rig.agent?.kill('SIGTERM');
  await ended;
  const { snapshots, events } = told();
  expect(snapshots.length).toBeGreaterThan(20);
  expect(falls(snapshots)).toEqual([]);
  const lines = (snapshots.at(-1)?.samples ?? []).filter(
    ({ name }) => name === 'app_offline_total',
  );
  expect(lines.reduce((sum, { value }) => sum + value, 0)).toBe(printed());
  const versions = lines.map(({ labels }) => labels['version']).sort();
  expect(versions).toEqual(['1.0', '2.0']);
  const changes = events.filter(({ kind }) => kind === 'version_changed');
  expect(changes.map(({ fields }) => fields)).toEqual([
    { what: 'component', name: 'sale', from: '1.0', to: '2.0' },
  ]);
  const restarts = (snapshots.at(-1)?.samples ?? []).filter(
    ({ name, labels }) => name === 'pos_component_restarts_total' && labels['cause'] === 'crash',
  );
  const byVersion = Object.fromEntries(restarts.map((one) => [one.labels['version'], one.value]));
  expect(byVersion['1.0']).toBeGreaterThan(1);
  expect(byVersion['2.0']).toBe(0);
}, 60_000);
