import { describe, expect, test } from 'vitest';
import { logSamples } from '../../agent/telemetry/log-samples.ts';
import {
  type AgentReading,
  agentSamples,
  type ComponentReading,
  componentSamples,
  formerSamples,
  ladderSamples,
} from '../../agent/telemetry/readings.ts';
import { CAUSES, type Cause } from '../../protocol/events.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';

const none = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
const component: ComponentReading = {
  name: 'sale',
  version: '2.4.1',
  state: 'suspect',
  counts: [
    {
      version: '2.4.0',
      restarts: { hang: 3, operator: 1 },
      failures: { hang: 4 },
      operationalMs: 7_200_999,
      stableMs: 3_600_000,
    },
    {
      version: '2.3.9',
      restarts: { crash: 7 },
      failures: {},
      operationalMs: 9_000,
      stableMs: 0,
    },
  ],
  beatAgeMs: 1_500,
  loopDelayMsMax: 40,
  residentBytes: 5e7,
  cpuSeconds: 12.5,
  runningVersion: '2.4.0',
  mode: 'observe',
  descriptors: 31,
  workInFlight: 2,
  ladder: {
    used: [{ rung: 'reset', cause: 'crash', count: 1 }],
    outcomes: [{ rung: 'reset', outcome: 'held', count: 1 }],
    suppressed: [{ rung: 'restart', cause: 'hang', count: 4 }],
  },
};
const agent: AgentReading = {
  version: '0.1.0',
  node: '24.21.0',
  starts: 4,
  residentBytes: 7e7,
  cpuSeconds: 3,
  loopDelayMsMax: 12,
  pauses: 1,
  dropped: 2,
  channelRejected: { bad_token: 2 },
  commandCounts: { succeeded: 1 },
  signFailures: { systemd: 2, device: 0, file: 0 },
  redactions: [{ where: 'export', kind: 'pan', count: 1 }],
  redactionsMissed: [['pan', 1]],
  tailDropped: 12,
  clockOffsetMs: -2_500,
  outbox: {
    durable: true,
    bytes: 40_960,
    batches: { events: 0, metrics: 2, results: 0, traces: 0 },
    waiting: { samples: 100, events: 0, results: 0, spans: 0 },
    drops: [
      { stream: 'metrics', reason: 'quota', count: 400 },
      { stream: 'traces', reason: 'quota', count: 4 },
    ],
    keptBytes: 512,
    thinned: 12,
    refused: { events: 1 },
    deadLetters: 1,
    damaged: 1,
    held: 3,
    acknowledged: 9,
    foreignAcks: 0,
    resent: 0,
  },
  link: {
    connected: true,
    connects: 2,
    failures: 1,
    lastReason: '',
    sentBatches: 9,
    sentBytes: 900,
    acks: 9,
    garbageAcks: 1,
    commands: 0,
    silences: 0,
    paceBytesPerSecond: 0,
  },
  scrapeFailures: new Map([['sync', 2]]),
  seriesDropped: new Map([['sale', 7]]),
  held: true,
  evidence: { bytes: 1, dropped: 1 },
  disk: {
    ...{ level: 'journal', levels: ['normal', 'journal'], writtenBytes: 4_096 },
    output: [{ component: 'sale', bytes: 10, dropped: { rate: 5 } }],
    journal: [{ component: 'sale', bytes: 30, records: { age: 2 } }],
    behind: [{ component: 'sale', bytes: 4 }],
  },
  series: 90,
  awayMs: { power: 90_000 },
  certificateMs: 1_800_000_000_000,
  unreadBytes: { sale: 3 },
  configuration: { name: 'shop', version: '7' },
  configurationTrials: [['kept', 1]],
};
const value = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}) =>
  samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  )?.value;

describe("the agent's own series", () => {
  const samples = [
    ...componentSamples(component),
    ...formerSamples(component),
    ...ladderSamples(component),
    ...agentSamples(agent),
    ...logSamples({ counts: [], kinds: 3, kindsDropped: 40 }, [component]),
  ];

  test('have only names of the catalogue that the agent exposes, with exactly its labels', () => {
    for (const sample of samples) {
      expect(isMetricName(sample.name), sample.name).toBe(true);
      if (!isMetricName(sample.name)) continue;
      expect(catalogue[sample.name].source, sample.name).toBe('agent');
      expect(Object.keys(sample.labels).toSorted(), sample.name).toEqual(
        catalogue[sample.name].labels.toSorted(),
      );
    }
  });

  test('cover every name that the catalogue gives to the agent', () => {
    const expected = Object.entries(catalogue)
      .filter(([name, entry]) => entry.source === 'agent' && !name.startsWith('pos_host_'))
      .map(([name]) => name);
    const names = new Set(samples.map((sample) => sample.name));
    expect(expected.filter((name) => !names.has(name))).toEqual([]);
  });

  test('say the state, and count crashes and hangs even before the first', () => {
    expect(value(samples, 'pos_component_up')).toBe(0);
    expect(value(samples, 'pos_component_state', { state: 'suspect' })).toBe(1);
    expect(value(samples, 'pos_component_state', { state: 'ready' })).toBe(0);
    const restarts = samples.filter((sample) => sample.name === 'pos_component_restarts_total');
    expect(
      restarts.map(({ labels: of, value: count }) => [of['cause'], of['version'], count]),
    ).toEqual([
      ['crash', '2.4.0', 0],
      ['hang', '2.4.0', 3],
      ['operator', '2.4.0', 1],
      ['crash', '2.3.9', 7],
    ]);
  });

  test('have a state for each that the component was in, where that is known', () => {
    const states = new Set(['ready', 'suspect'] as const);
    const some = componentSamples({ ...component, states }).filter(
      ({ name }) => name === 'pos_component_state',
    );
    expect(some.map(({ labels, value: is }) => [labels['state'], is])).toEqual([
      ['ready', 0],
      ['suspect', 1],
    ]);
  });

  test('say what was counted under the version that ran then, time in whole seconds', () => {
    const time = 'pos_component_operational_seconds_total';
    expect(value(samples, time, { version: '2.4.0' })).toBe(7_200);
    expect(value(samples, time, { version: '2.3.9' })).toBe(9);
    expect(value(samples, 'pos_component_stable_seconds_total', { version: '2.4.0' })).toBe(3_600);
    const failures = { cause: 'hang', version: '2.4.0' };
    expect(value(samples, 'pos_component_failures_total', failures)).toBe(4);
    expect(value(samples, 'pos_component_failures_total', { version: '2.3.9' })).toBeUndefined();
  });

  test('tell what runs, its mode, and the rungs that were used, held or not', () => {
    expect(value(samples, 'pos_component_info', { version: '2.4.0' })).toBe(1);
    expect(value(samples, 'pos_component_info', { version: '2.4.1' })).toBeUndefined();
    expect(value(samples, 'pos_component_mode', { mode: 'observe' })).toBe(1);
    expect(value(samples, 'pos_component_mode', { mode: 'act' })).toBeUndefined();
    const reset = { component: 'sale', rung: 'reset' };
    expect(value(samples, 'tillwatch_recovery_total', { ...reset, cause: 'crash' })).toBe(1);
    const held = { ...reset, outcome: 'held' };
    expect(value(samples, 'tillwatch_recovery_outcome_total', held)).toBe(1);
    expect(value(samples, 'tillwatch_recovery_suppressed_total', { cause: 'hang' })).toBe(4);
    expect(value(samples, 'tillwatch_hold')).toBe(1);
    expect(value(agentSamples({ ...agent, held: false }), 'tillwatch_hold')).toBe(0);
  });

  test('are in base units', () => {
    expect(value(samples, 'pos_component_beat_age_seconds')).toBe(1.5);
    expect(value(samples, 'pos_component_loop_delay_max_seconds')).toBe(0.04);
    expect(value(samples, 'pos_clock_offset_seconds')).toBe(-2.5);
  });

  test('leave out what is not known', () => {
    const { clockOffsetMs: _unknown, ...rest } = agent;
    const unknown = agentSamples({ ...rest, clockOffsetMs: undefined });
    expect(value(unknown, 'pos_clock_offset_seconds')).toBeUndefined();
    const bare: ComponentReading = {
      name: 'sale',
      version: '1',
      state: 'stopped',
      restartsByCause: none,
    };
    expect(value(componentSamples(bare), 'pos_component_resident_bytes')).toBeUndefined();
    expect(componentSamples(bare)).toHaveLength(11);
  });
});
