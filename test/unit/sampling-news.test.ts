import { describe, expect, test } from 'vitest';
import { Component } from '../../agent/component.ts';
import { eventOf } from '../../agent/said.ts';
import { OVER } from '../../agent/telemetry/budget.ts';
import {
  LEFT_OUT_EVERY_MS,
  LeftOutTeller,
  NAMES_TOLD_MAX,
} from '../../agent/telemetry/left-out.ts';
import { SamplingMemory, SELDOM_MS } from '../../agent/telemetry/memory.ts';
import { Versions, versionsIn } from '../../agent/telemetry/versions.ts';
import type { Life } from '../../agent/watchdog/control.ts';
import { type AgentConfig, loadConfig } from '../../configuration/config.ts';
import { decodeEventBody, encodeEventBody } from '../../protocol/events.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { fakeClock, quietLog } from './outbox-rig.ts';

const over = (...names: string[]) => names.map((name) => ({ name, count: 2, reason: OVER }));

describe('series that are left out', () => {
  test('are named once for each set, and at most once an hour', () => {
    const teller = new LeftOutTeller();
    const at = (nowMs: number, ...names: string[]) =>
      teller.hear('sale', over(...names), 150, nowMs);
    expect(at(0, 'b', 'a', 'b')).toEqual({
      kind: 'series_left_out',
      component: 'sale',
      fields: {
        names: ['a', 'b'],
        count: 6,
        seriesMax: 150,
        reason: 'over the budget of 150 series',
      },
    });
    expect(at(1, 'b', 'a')).toBeUndefined();
    expect(at(2, 'a', 'c')).toBeUndefined();
    expect(at(LEFT_OUT_EVERY_MS - 1, 'a', 'd')).toBeUndefined();
    expect(at(LEFT_OUT_EVERY_MS, 'a', 'd')?.fields).toMatchObject({ names: ['a', 'd'] });
    expect(at(3 * LEFT_OUT_EVERY_MS)).toBeUndefined();
    expect(teller.hear('agent', over('own'), 150, 5)?.component).toBe('');
  });

  test('are not told again by the next agent', () => {
    const before = new LeftOutTeller();
    before.hear('sale', over('a'), 150, 0);
    const after = new LeftOutTeller(before.told());
    expect(after.hear('sale', over('a'), 150, 0)).toBeUndefined();
    expect(after.hear('sale', over('b'), 150, 0)).toBeDefined();
  });

  test('fit into an event, however many and long they are', () => {
    const names = Array.from({ length: 500 }, (_, i) => `${'x'.repeat(124)}${i}`);
    const event = new LeftOutTeller().hear('sale', over(...names), 150, 0);
    const fields = event?.fields as Record<string, unknown>;
    expect(fields['names']).toHaveLength(NAMES_TOLD_MAX);
    expect(fields['count']).toBe(1_000);
    const one = { id: 'x', timeMs: 1, kind: 'series_left_out', component: 'sale', fields };
    expect(decodeEventBody(encodeEventBody([one])).ok).toBe(true);
  });
});

describe('what runs', () => {
  const seen = (agent: string, firmware = '1.0') =>
    versionsIn([
      { name: 'pos_agent_info', labels: { version: agent, node: '24' }, value: 1 },
      { name: 'pos_host_info', labels: { os: 'Till OS 7', kernel: '6.1', model: 'x' }, value: 1 },
      { name: 'pos_component_info', labels: { component: 'sale', version: '2.0' }, value: 1 },
      { name: 'pos_device_info', labels: { device: 'printer', model: 'T', firmware }, value: 1 },
      { name: 'pos_host_load1', labels: {}, value: 1 },
    ]);

  test('is no news the first time, and news once when it changes', () => {
    const versions = new Versions();
    expect(versions.see(seen('1'))).toEqual({ events: [], isNew: true });
    expect(versions.see(seen('1'))).toEqual({ events: [], isNew: false });
    expect(versions.see(seen('1', '1.1')).events).toEqual([
      {
        kind: 'version_changed',
        component: '',
        fields: { what: 'firmware', name: 'printer', from: '1.0', to: '1.1' },
      },
    ]);
    expect(versions.see(seen('1', '1.1')).events).toEqual([]);
  });

  test('is known to the agent that comes after: an upgrade of the agent itself is noticed', () => {
    const before = new Versions();
    before.see(seen('1'));
    const after = new Versions(before.known());
    const { events } = after.see(seen('2'));
    expect(events.map(({ fields }) => fields)).toEqual([
      { what: 'agent', name: 'tillwatch', from: '1', to: '2' },
    ]);
  });

  test('is told once of a name that is there twice: by two components, or as a series left behind', () => {
    const versions = new Versions();
    const printer = (firmware: string, value = 1) => ({
      ...{ name: 'pos_device_info', labels: { device: 'printer', firmware }, value },
    });
    versions.see(versionsIn([printer('1.0')]));
    const both = versionsIn([printer('1.0'), printer('1.1')]);
    expect(versions.see(both).events).toHaveLength(1);
    expect(versions.see(both)).toEqual({ events: [], isNew: false });
    expect(versions.see(versionsIn([printer('1.1'), printer('1.0', 0)])).events).toEqual([]);
  });

  test('is not forgotten while it is away or cannot say what it is', () => {
    const versions = new Versions();
    versions.see(seen('1'));
    versions.see([]);
    expect(versions.see(seen('1', 'unknown')).events).toEqual([]);
    expect(versions.see(seen('1', '2.0')).events).toHaveLength(1);
  });
});

describe('the version of a component', () => {
  const life = { instance: 'i', token: 't', pid: 7, version: '1.0' } as unknown as Life;
  const text =
    'terminal: a\ndataDir: d\nrunDir: r\ncomponents: [{ name: sale, command: [x], version: "2.0" }]';
  const open = (): Component => {
    const { config } = loadConfig(text, '/x') as { config: AgentConfig };
    const [sale] = config.components;
    if (sale === undefined) throw new Error('no component');
    return new Component(sale, config, { seed: 1, restarts: [], uses: [] });
  };

  test('is what it says of itself, for as long as it lives', () => {
    const sale = open();
    expect(sale.version).toBe('2.0');
    sale.life = life;
    expect(sale.version).toBe('1.0');
    eventOf(sale, { kind: 'ready', version: '1.0.7' });
    expect(sale.version).toBe('1.0.7');
    sale.forget();
    expect([sale.version, sale.ended]).toEqual(['1.0.7', '1.0.7']);
    sale.forget();
    expect([sale.version, sale.ended]).toEqual(['2.0', '1.0.7']);
  });
});

describe('the memory of sampling', () => {
  const clock = fakeClock();
  let text: string | undefined;
  let answer: Result<void> = ok(undefined);
  const open = (): SamplingMemory =>
    new SamplingMemory({
      path: 'sampling.json',
      read: () => text,
      write: (_path, written) => {
        if (answer.ok) text = written;
        return Promise.resolve(answer);
      },
      ...{ clock, log: quietLog() },
    });
  const settled = () => new Promise((done) => setImmediate(done));
  const versions = (version: string) => ({ versions: { 'agent tillwatch': version } });

  test('is written at once when it is urgent, else seldom, and never twice the same', async () => {
    const memory = open();
    memory.keep(() => versions('1'), true);
    await settled();
    expect(open().remembered).toMatchObject(versions('1'));
    memory.keep(() => versions('2'), false);
    await settled();
    expect(open().remembered).toMatchObject(versions('1'));
    clock.pass(SELDOM_MS);
    memory.keep(() => versions('2'), false);
    await settled();
    expect(open().remembered).toMatchObject(versions('2'));
    answer = fail('cannot write: ENOSPC');
    memory.keep(() => versions('3'), true);
    await settled();
    answer = ok(undefined);
    clock.pass(SELDOM_MS);
    memory.keep(() => versions('3'), false);
    await settled();
    expect(open().remembered).toMatchObject(versions('3'));
  });

  test('is begun anew when it is damaged', () => {
    text = '{"places": 7}';
    expect(open().remembered).toEqual({ versions: {}, leftOut: {}, places: [] });
  });
});
