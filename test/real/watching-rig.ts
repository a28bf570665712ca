// What the tests of probes that watch files share: a folder, a component's own output file in it, and probes whose
// clocks can be moved by hand while everything else is real.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import { type Probe, type ProbeSpec, startProbe } from '../../agent/watchdog/probes.ts';

type Seen = { ok: boolean; reason: string };
export type Kind<K extends ProbeSpec['kind']> = Omit<
  Extract<ProbeSpec, { kind: K }>,
  'kind' | 'everyMs' | 'timeoutMs'
>;
const real = realPorts();
export let folder: string;
export let own: string;
export let warnings: string[];
let probes: Probe[];
/** Moves the wall clock; stands in for a monotonic one that runs ahead; what each look at it takes. */
export const clocks = { wallOffsetMs: 0, aheadMs: 0, lookMs: 0 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw watching '));
  own = join(folder, 'own.log');
  writeFileSync(own, '');
  probes = [];
  warnings = [];
  Object.assign(clocks, { wallOffsetMs: 0, aheadMs: 0, lookMs: 0 });
});
afterEach(() => {
  for (const probe of probes) probe.stop();
  rmSync(folder, { recursive: true, force: true });
});

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Watched {
  readonly seen: Seen[] = [];
  readonly probe: Probe;

  constructor(spec: ProbeSpec) {
    const warn = (message: string, fields?: Record<string, unknown>) =>
      warnings.push(`${message}: ${fields?.['reason'] ?? ''}`);
    const log = { info: () => undefined, warn, error: () => undefined };
    const clock = {
      ...real.clock,
      monotonicMs: () => {
        clocks.aheadMs += clocks.lookMs;
        return real.clock.monotonicMs() + clocks.aheadMs;
      },
      wallMs: () => real.clock.wallMs() + clocks.wallOffsetMs,
    };
    const told = (ok: boolean, reason: string) => this.seen.push({ ok, reason });
    this.probe = startProbe(spec, { ...real, clock, log }, told, { ownOutput: own });
    probes.push(this.probe);
  }

  /** Waits for the next answer that began after this was called. */
  async next(): Promise<Seen> {
    const from = this.seen.length + 1; // the one in flight may have looked before
    for (let n = 0; n < 4_000 && this.seen.length <= from; n += 1) await pause(5);
    const found = this.seen[from];
    if (found === undefined) throw new Error('no answer');
    return found;
  }
}

const rhythm = { everyMs: 20, timeoutMs: 5_000 };
export const watchLog = (more: Kind<'log'>): Watched =>
  new Watched({ kind: 'log', ...rhythm, ...more });
export const watchFile = (more: Kind<'file'>) => new Watched({ kind: 'file', ...rhythm, ...more });
