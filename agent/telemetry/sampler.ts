// Every fifteen seconds one snapshot of everything: the machine, each component as the agent sees it,
// each component's own metrics, and the agent itself; stamped with the broker's time and put into the
// outbox. One sampling at a time: a component that answers slowly makes the next one late, never two
// at once, and what cannot be read is missing from the snapshot and counted, never guessed. What does not
// fit into the budget of series is named in an event, and so is what runs under another version than before.

import { SERIES_PER_TERMINAL_MAX } from '../../protocol/limits.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Link } from '../link/link.ts';
import type { Redaction } from '../logs/redactions.ts';
import type { Clock, Files, Log, Timers } from '../ports.ts';
import { type Budgeted, SeriesBudget } from './budget.ts';
import { Exposed, type ExposedOptions } from './exposed.ts';
import { createHostReader, type HostReader } from './host.ts';
import { LeftOutTeller } from './left-out.ts';
import { type LogReading, logSamples } from './log-samples.ts';
import type { SamplingMemory } from './memory.ts';
import {
  type AgentReading,
  agentSamples,
  type ComponentReading,
  componentSamples,
  formerSamples,
  ladderSamples,
} from './readings.ts';
import { rounded } from './rounded.ts';
import type { Outbox } from './types.ts';
import { Versions, versionsIn } from './versions.ts';

export type { ComponentReading } from './readings.ts';

export type SamplerOptions = Omit<ExposedOptions, 'timers' | 'log'> & {
  readonly everyMs: number;
  readonly sendMs: number;
  readonly seriesMax?: number;
  /** Whose file systems are measured. */
  readonly dataDir: string;
  readonly logDir?: string;
  readonly files: Pick<Files, 'read' | 'reread' | 'readLink' | 'isDirectory'>;
  readonly agent: { readonly version: string; readonly node: string };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly outbox: Outbox;
  readonly link: Pick<Link, 'stats' | 'clockOffsetMs'>;
  readonly readComponents: () => readonly ComponentReading[];
  readonly loopStats: () => Pick<AgentReading, 'dropped' | 'pauses' | 'loopDelayMsMax'>;
  readonly evidenceStats?: () => AgentReading['evidence'];
  readonly diskStats?: () => AgentReading['disk'];
  readonly channelRejected: () => Readonly<Record<string, number>>;
  readonly commandCounts: () => Readonly<Record<string, number>>;
  readonly signFailures?: () => Readonly<Record<string, number>>;
  readonly redactions?: () => readonly Redaction[];
  readonly redactionsMissed?: () => AgentReading['redactionsMissed'];
  /** Whether a technician holds the till. */
  readonly isHeld?: () => boolean;
  /** What others have to add of the agent: why it was away, what it thinned out. */
  readonly more?: () => Pick<
    AgentReading,
    | 'awayMs'
    | 'unreadBytes'
    | 'spansDropped'
    | 'certificateMs'
    | 'tailDropped'
    | 'configuration'
    | 'configurationTrials'
  >;
  /** Of the records that components print. */
  readonly logs?: () => LogReading;
  /** What the agent before knew; nothing when not given. */
  readonly memory?: SamplingMemory;
  /** For tests; the machine itself when not given. */
  readonly readHost?: HostReader;
};

export type Sampler = {
  readonly stop: () => void;
  readonly setPace: (pace: Pick<SamplerOptions, 'everyMs' | 'sendMs' | 'seriesMax'>) => void;
  /** One sampling now; resolves when its snapshot is in the outbox. Joins one that is under way. */
  readonly sampleNow: () => Promise<void>;
};

/** The first snapshot comes soon, so that a till that was switched on is seen. */
const FIRST_MS = 1_000;

class AgentSampler implements Sampler {
  #o: SamplerOptions;
  readonly #readHost: HostReader;
  readonly #exposed: Exposed;
  readonly #budget: SeriesBudget;
  readonly #leftOut: LeftOutTeller;
  readonly #versions: Versions;
  readonly #seriesDropped = new Map<string, number>();
  #cancels: (() => void)[] = [];
  #sampling: Promise<void> | undefined;
  #stopped = false;

  constructor(options: SamplerOptions) {
    this.#o = options;
    const { clock, memory } = options;
    const { places, leftOut, versions } = memory?.remembered ?? {};
    this.#readHost = options.readHost ?? createHostReader(options, options);
    this.#exposed = new Exposed(options);
    this.#budget = new SeriesBudget(places, clock.monotonicMs());
    this.#leftOut = new LeftOutTeller(leftOut);
    this.#versions = new Versions(versions);
    this.#begin();
  }

  #begin(): void {
    const { outbox, timers, everyMs, sendMs } = this.#o;
    outbox.setSendMs(sendMs);
    const sample = (): void => {
      void this.sampleNow();
    };
    this.#cancels = [
      timers.after(Math.min(FIRST_MS, everyMs), sample),
      timers.every(everyMs, sample),
    ];
  }

  setPace(pace: Pick<SamplerOptions, 'everyMs' | 'sendMs' | 'seriesMax'>): void {
    if (this.#stopped) return;
    for (const cancel of this.#cancels) cancel();
    this.#o = { ...this.#o, ...pace };
    this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
  }

  sampleNow(): Promise<void> {
    this.#sampling ??= this.#sample()
      // Only a bug gets here; the next sampling must still come.
      .catch((error: unknown) => this.#o.log.error('sampling failed', { reason: String(error) }))
      .finally(() => {
        this.#sampling = undefined;
      });
    return this.#sampling;
  }

  async #sample(): Promise<void> {
    const { outbox, clock, seriesMax = SERIES_PER_TERMINAL_MAX } = this.#o;
    const takenMs = clock.monotonicMs();
    const components = this.#o.readComponents();
    const [host, exposed] = await Promise.all([this.#readHost(), this.#exposed.read(components)]);
    if (this.#stopped) return;
    const own = [
      ...host,
      ...components.flatMap(componentSamples),
      ...agentSamples(this.#agentReading()),
      ...logSamples(this.#o.logs?.(), components),
      ...components.flatMap(formerSamples),
      ...components.flatMap(ladderSamples),
    ].map(rounded);
    const budgeted = this.#budget.take(own, exposed, seriesMax, clock.monotonicMs());
    const { samples } = budgeted;
    // By the time that is known now: the broker may have said it while a component was slow to answer.
    const timeMs = outbox.time.nowMs() - (clock.monotonicMs() - takenMs);
    outbox.addSnapshot({ timeMs, samples: samples.map((one) => withCount(one, samples.length)) });
    this.#tellLeftOut(budgeted, seriesMax);
    // Before the budget: what is not sent is noticed, too.
    const all = [...own, ...exposed.flatMap(({ units }) => units.flatMap((unit) => unit.samples))];
    this.#tellVersions(all);
  }

  #tellLeftOut({ left, dropped }: Budgeted, seriesMax: number): void {
    const { outbox, log, clock } = this.#o;
    for (const [component, names] of dropped) {
      const before = this.#seriesDropped.get(component) ?? 0;
      this.#seriesDropped.set(component, before + names.length);
    }
    for (const [component, all] of left) {
      const event = this.#leftOut.hear(component, all, seriesMax, clock.monotonicMs());
      if (event === undefined) continue;
      outbox.addEvent(event);
      log.warn('series are left out', { component, ...event.fields });
    }
  }

  #tellVersions(samples: readonly Sample[]): void {
    const { events, isNew } = this.#versions.see(versionsIn(samples));
    for (const event of events) this.#o.outbox.addEvent(event);
    // Told first: killed in between it is told twice, and never not at all.
    this.#o.memory?.keep(() => this.#remember(), isNew);
  }

  #remember() {
    const isTight = this.#seriesDropped.size > 0;
    return {
      versions: { ...this.#versions.known() },
      leftOut: { ...this.#leftOut.told() },
      places: isTight ? this.#budget.places() : [],
    };
  }

  #agentReading(): AgentReading {
    const { outbox, link, agent } = this.#o;
    const cpu = process.cpuUsage();
    return {
      ...agent,
      ...this.#o.loopStats(),
      ...this.#o.more?.(),
      starts: outbox.starts,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      evidence: this.#o.evidenceStats?.(),
      disk: this.#o.diskStats?.(),
      channelRejected: this.#o.channelRejected(),
      commandCounts: this.#o.commandCounts(),
      signFailures: this.#o.signFailures?.() ?? {},
      redactions: this.#o.redactions?.() ?? [],
      redactionsMissed: this.#o.redactionsMissed?.() ?? [],
      held: this.#o.isHeld?.() ?? false,
      clockOffsetMs: link.clockOffsetMs(),
      outbox: outbox.stats(),
      link: link.stats(),
      scrapeFailures: this.#exposed.failures,
      seriesDropped: this.#droppedAndGarbage(),
      series: 0,
    };
  }

  #droppedAndGarbage(): ReadonlyMap<string, number> {
    const all = new Map(this.#seriesDropped);
    for (const [component, lines] of this.#exposed.garbage) {
      all.set(component, (all.get(component) ?? 0) + lines);
    }
    return all;
  }
}

/** How many there are is known only when all are there. */
const withCount = (sample: Sample, value: number): Sample =>
  sample.name === 'tillwatch_series' ? { ...sample, value } : sample;

export const startSampler = (options: SamplerOptions): Sampler => new AgentSampler(options);
