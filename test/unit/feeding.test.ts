// What the machines of components are fed with beside samples: how often, for which life, and what is left unsaid.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Component } from '../../agent/component.ts';
import { Feeding, type FeedingOptions } from '../../agent/feeding.ts';
import { realFiles } from '../../agent/system/files.ts';
import type { ComponentEvent } from '../../agent/watchdog/model.ts';
import { parseDescriptorLimit } from '../../agent/watchdog/usage.ts';

function rig(everyMs = 5_000) {
  const fed: (ComponentEvent & { name: string })[] = [];
  const state = { instance: 'one' as string | undefined, pressure: '' as string | undefined };
  const asked: boolean[] = [];
  const component = {
    name: 'sale',
    get life() {
      return state.instance === undefined ? undefined : { instance: state.instance };
    },
    policy: { limits: { everyMs } },
    descriptors: undefined,
  } as unknown as Component;
  const hands = {
    ports: { files: { read: () => state.pressure, reread: () => state.pressure } },
    control: {
      usage: (_life: unknown, quick: boolean) => {
        asked.push(quick);
        return { residentBytes: 7, cpuSeconds: 1 };
      },
      descriptors: () => ({ descriptors: 30, descriptorsMax: 1_024 }),
    },
    push: (name: string, event: ComponentEvent) => fed.push({ name, ...event }),
  } as unknown as FeedingOptions['hands'];
  const feeding = new Feeding({ components: [component], hands });
  let now = 0;
  const sweep = (ms: number): void => {
    for (const until = now + ms; now < until; now += 250) feeding.look(now);
  };
  const kinds = (): string[] => fed.splice(0).map(({ kind }) => kind);
  return { sweep, kinds, fed, state, asked, component };
}

describe('feeding', () => {
  it('tells the usage of each life every so often, not at its birth, without a look through all', () => {
    const { sweep, kinds, fed, state, asked, component } = rig();
    sweep(5_000);
    expect(kinds()).toEqual([]);
    sweep(10_000);
    expect(fed[0]).toEqual({
      ...{ name: 'sale', kind: 'usage', residentBytes: 7, cpuSeconds: 1 },
      ...{ descriptors: 30, descriptorsMax: 1_024 },
    });
    expect([kinds().length, asked, component.descriptors]).toEqual([2, [true, true], 30]);
    state.instance = 'two';
    sweep(5_000);
    expect(kinds()).toEqual([]);
    sweep(5_000);
    expect(kinds()).toEqual(['usage']);
    state.instance = undefined;
    sweep(60_000);
    expect(kinds()).toEqual([]);
  });

  it('tells the pressure once a second to who lives, and nothing where the kernel says nothing', () => {
    const { sweep, kinds, fed, state } = rig(3_600_000);
    state.pressure = 'some avg10=81.50 avg60=1.00 avg300=0.00 total=1\n';
    sweep(3_000);
    expect(fed).toEqual(Array(3).fill({ name: 'sale', kind: 'pressure', cpuSome: 81.5 }));
    fed.length = 0;
    state.pressure = undefined;
    sweep(3_000);
    state.pressure = 'garbage';
    sweep(3_000);
    expect(kinds()).toEqual([]);
  });
});

describe('descriptors', () => {
  it('are counted in /proc and in folders, and not where there is none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tw-count-'));
    for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, name), '');
    expect(realFiles.count(folder)).toBe(3);
    expect(realFiles.count('/proc/self/fd')).toBeGreaterThan(3);
    expect(realFiles.count(join(folder, 'none'))).toBeUndefined();
    expect(realFiles.count(join(folder, 'a'))).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it('have a limit, unless there is none', () => {
    const limits = realFiles.read('/proc/self/limits');
    expect(parseDescriptorLimit(limits)).toBeGreaterThan(16);
    const line = 'Max open files            unlimited            unlimited            files\n';
    expect(parseDescriptorLimit(line)).toBeUndefined();
    expect(parseDescriptorLimit(undefined)).toBeUndefined();
  });
});
