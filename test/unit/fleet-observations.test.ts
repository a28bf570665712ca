import { describe, expect, it } from 'vitest';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import {
  createObservations,
  type ObservationOptions,
  PORTION_TERMINALS,
  ROUND_MS,
} from '../../broker/fleet/observations.ts';
import { SERIES_PER_BODY_MAX } from '../../protocol/limits.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { fail, ok } from '../../protocol/result.ts';
import { must, rig, START_MS } from './fleet-rig.ts';

type Line = { readonly name: string; readonly labels: string; readonly value: number };

function linesOf(body: Uint8Array): Line[] {
  const { series } = must(decodeMetricColumns(body, { ownLabels: true }));
  return series.map(({ name, labels, values }) => ({
    ...{ name, labels: labels.join(' '), value: values[0] ?? Number.NaN },
  }));
}

function fleetOf(count: number, more: Partial<ObservationOptions> = {}) {
  const models = new Map<string, TerminalModel>();
  for (let i = 0; i < count; i += 1) {
    const id = `lane-${String(i).padStart(5, '0')}`;
    const seen = { lastSeenMs: START_MS, clock: { skewMs: 5, leftMs: 0, atMs: 1 } };
    models.set(id, { ...newTerminal(id, `store-${i % 100}`, true), presence: 'online', ...seen });
  }
  const bodies: Uint8Array[] = [];
  let now = 0;
  let isFull = false;
  const observations = createObservations({
    ledger: {
      appendOwn: (_stream, body) => {
        if (isFull) return fail('full');
        bodies.push(body);
        return ok(undefined);
      },
    },
    clock: { monotonicMs: () => now, wallMs: () => START_MS + now },
    get: (id) => models.get(id),
    ids: () => [...models.keys()],
    ...more,
  });
  return {
    models,
    bodies,
    ...observations,
    fill: (full: boolean): void => {
      isFull = full;
    },
    pass: (ms: number): void => {
      for (const until = now + ms; now < until; ) {
        observations.tick();
        now += 1_000;
      }
    },
  };
}

describe('what the broker records of each terminal', () => {
  it('names all of them, also who never reported, who is 0 and not absent', () => {
    const { time, ledger, fleet } = rig();
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    time.pass(2_000);
    const lines = ledger.own.flatMap(linesOf);
    const up = (terminal: string) =>
      lines.findLast(({ name, labels }) => name === 'pos_terminal_up' && labels.includes(terminal));
    expect(up('lane-1')).toMatchObject({ labels: 'store berlin terminal lane-1', value: 1 });
    expect(up('lane-2')).toMatchObject({ labels: 'store berlin terminal lane-2', value: 0 });
    // The run before may have told any of the four.
    const states = lines.filter(
      ({ name, labels }) => name === 'pos_terminal_presence' && labels.includes('lane-2'),
    );
    expect(states.map(({ labels, value }) => `${labels.split(' ')[1]} ${value}`)).toEqual(
      expect.arrayContaining(['online 0', 'late 0', 'lost 0', 'never 1']),
    );
    const seen = lines.filter(({ name }) => name === 'pos_terminal_last_seen_timestamp_seconds');
    expect(new Set(seen.map(({ labels, value }) => `${labels} ${value}`))).toEqual(
      new Set([`store berlin terminal lane-1 ${START_MS / 1000}`]),
    );
  });

  it('tells a change within a second, and the state before as 0', () => {
    const { time, ledger, fleet } = rig();
    time.pass(5_000);
    ledger.own.length = 0;
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    time.pass(1_000);
    const presence = ledger.own
      .flatMap(linesOf)
      .filter(({ name }) => name === 'pos_terminal_presence')
      .map(({ labels, value }) => `${labels.split(' ')[1]} ${value}`);
    expect(presence).toEqual(['never 0', 'online 1']);
  });

  it('comes round once a minute for all, spread, in bodies that can be read', () => {
    const it = fleetOf(10_000);
    it.pass(ROUND_MS);
    const first = it.bodies.flatMap(linesOf).filter(({ name }) => name === 'pos_terminal_up');
    expect(new Set(first.map(({ labels }) => labels)).size).toBe(10_000);
    expect(first.length).toBe(10_000);
    expect(it.bodies.length).toBe(10_000 / PORTION_TERMINALS);
    const sizes = it.bodies.map((body) => linesOf(body).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(SERIES_PER_BODY_MAX);
    it.bodies.length = 0;
    it.pass(ROUND_MS);
    expect(it.bodies.length).toBe(10_000 / PORTION_TERMINALS);
  });

  it('has room for what other rooms say, however much that is', () => {
    const moreOf = ({ id: terminal }: TerminalModel) =>
      Array.from({ length: 30 }, (_, n) => ({
        ...{ name: 'more', labels: { terminal, n: String(n) }, value: n },
      }));
    const it = fleetOf(PORTION_TERMINALS, { moreOf });
    it.pass(2_000);
    const lines = it.bodies.map(linesOf);
    expect(lines.flat().filter(({ name }) => name === 'more')).toHaveLength(PORTION_TERMINALS * 30);
    expect(Math.max(...lines.map((of) => of.length))).toBeLessThanOrEqual(SERIES_PER_BODY_MAX);
  });

  it('tells of stores once a minute, some in each second, and again what the ledger did not take', () => {
    const count = 2 * SERIES_PER_BODY_MAX + 1;
    const samplesOfStores = () =>
      Array.from({ length: count }, (_, n) => ({
        ...{ name: 'pos_store_open', labels: { store: `s-${n}` }, value: 1 },
      }));
    const it = fleetOf(1, { samplesOfStores });
    const told = () =>
      it.bodies.flatMap(linesOf).filter(({ name }) => name === 'pos_store_open').length;
    it.pass(1_000);
    expect(told()).toBe(SERIES_PER_BODY_MAX);
    it.fill(true);
    it.pass(5_000);
    it.fill(false);
    it.pass(5_000);
    expect(told()).toBe(count);
    it.pass(ROUND_MS);
    expect(told()).toBe(2 * count);
  });

  it('of a fleet that changes as a whole stays bounded in each second and forgets nobody', () => {
    const it = fleetOf(10_000);
    it.pass(ROUND_MS);
    it.bodies.length = 0;
    for (const [id, model] of it.models) {
      it.models.set(id, { ...model, presence: 'late' });
      it.changed(id);
    }
    it.tick();
    expect(it.bodies.length).toBeLessThanOrEqual(3);
    it.pass(30_000);
    const late = it.bodies.flatMap(linesOf).filter(({ labels }) => labels.includes('late'));
    expect(new Set(late.map(({ labels }) => labels)).size).toBe(10_000);
  });

  it('is told again when the ledger took nothing', () => {
    const it = fleetOf(2);
    it.fill(true);
    it.changed('lane-00000');
    it.pass(5_000);
    it.fill(false);
    it.tick();
    expect(it.bodies.length).toBe(1);
  });

  it('tells within seconds that a store has closed, and only that', () => {
    const open = new Map(Array.from({ length: 20 }, (_, at) => [`store-${at}`, 1]));
    const samplesOfStores = () =>
      [...open].map(([store, value]) => ({
        ...{ name: 'pos_store_open' as const, labels: { store }, value },
      }));
    const it = fleetOf(0, { samplesOfStores });
    it.pass(10_000);
    expect(it.bodies.flatMap(linesOf)).toHaveLength(20);
    it.bodies.length = 0;
    open.set('store-7', 0);
    it.pass(6_000);
    expect(it.bodies.flatMap(linesOf)).toEqual([
      { name: 'pos_store_open', labels: 'store store-7', value: 0 },
    ]);
    it.pass(20_000);
    expect(it.bodies).toHaveLength(1);
    // In the middle of a full disk it waits, and is not forgotten.
    it.fill(true);
    open.set('store-7', 1);
    it.pass(10_000);
    it.fill(false);
    it.pass(2_000);
    expect(it.bodies.flatMap(linesOf).at(-1)).toMatchObject({ value: 1 });
  });
});
