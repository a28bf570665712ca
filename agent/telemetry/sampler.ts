// Every fifteen seconds one snapshot of everything: the machine, each component as the agent sees it,
// each component's own metrics, and the agent itself; stamped with the broker's time and put into the
// outbox. One sampling at a time: a component that answers slowly makes the next one late, never two
// at once, and what cannot be read is missing from the snapshot and counted, never guessed.

import type { Link } from '../link/link.ts';
import type { Redaction } from '../logs/redactions.ts';
import type { Clock, Files, Log, Timers } from '../ports.ts';
import { parseExposition } from './exposition.ts';
import { createHostReader, type HostReader } from './host.ts';
import {
  type AgentReading,
  agentSamples,
  type ComponentReading,
  componentSamples,
  formerSamples,
  ladderSamples,
} from './readings.ts';
import { scrape } from './scrape.ts';
import { type Scraped, withinBudget } from './series.ts';
import type { Outbox } from './types.ts';

export type { ComponentReading } from './readings.ts';

export type SamplerOptions = {
  readonly everyMs: number;
  readonly sendMs: number;
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
  /** Whether a technician holds the till. */
  readonly isHeld?: () => boolean;
  /** For tests; systeminformation when not given. */
  readonly readHost?: HostReader;
};

export type Sampler = {
  readonly stop: () => void;
  /** One sampling now; resolves when its snapshot is in the outbox. Joins one that is under way. */
  readonly sampleNow: () => Promise<void>;
};

/** The first snapshot comes soon, so that a till that was switched on is seen. */
const FIRST_MS = 1_000;
/** Names of left-out series that are said in the log; then only the counter goes on. */
const NAMES_SAID_MAX = 200;

class AgentSampler implements Sampler {
  readonly #o: SamplerOptions;
  readonly #readHost: HostReader;
  readonly #scrapeFailures = new Map<string, number>();
  readonly #seriesDropped = new Map<string, number>();
  readonly #said = new Set<string>();
  readonly #cancels: (() => void)[];
  #sampling: Promise<void> | undefined;
  #stopped = false;

  constructor(options: SamplerOptions) {
    this.#o = options;
    const { timers, everyMs } = options;
    this.#readHost = options.readHost ?? createHostReader(options, options);
    options.outbox.setSendMs(options.sendMs);
    const sample = (): void => {
      void this.sampleNow();
    };
    this.#cancels = [
      timers.after(Math.min(FIRST_MS, everyMs), sample),
      timers.every(everyMs, sample),
    ];
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
    const { outbox } = this.#o;
    const timeMs = outbox.time.nowMs();
    const components = this.#o.readComponents();
    const [host, scraped] = await Promise.all([this.#readHost(), this.#scrapeAll(components)]);
    if (this.#stopped) return;
    const own = [
      ...host,
      ...components.flatMap(componentSamples),
      ...agentSamples(this.#agentReading()),
      ...components.flatMap(formerSamples),
      ...components.flatMap(ladderSamples),
    ];
    const { samples, dropped } = withinBudget(own, scraped);
    for (const [component, names] of dropped) this.#drop(component, names);
    outbox.addSnapshot({ timeMs, samples });
  }

  async #scrapeAll(components: readonly ComponentReading[]): Promise<Scraped[]> {
    const all = await Promise.all(
      components.map(({ name, metricsUrl }) =>
        metricsUrl === undefined ? undefined : this.#scrapeOne(name, metricsUrl),
      ),
    );
    return all.filter((scraped) => scraped !== undefined);
  }

  async #scrapeOne(component: string, url: string): Promise<Scraped | undefined> {
    const { timers, log } = this.#o;
    const body = await scrape(url, timers);
    if (!body.ok) {
      this.#count(this.#scrapeFailures, component, 1);
      if (this.#isNew(`${component} ${body.reason}`)) {
        log.warn('a component cannot be scraped', { component, reason: body.reason });
      }
      return undefined;
    }
    const { samples, garbageLines } = parseExposition(body.value);
    if (garbageLines > 0) this.#count(this.#seriesDropped, component, garbageLines);
    return { component, samples };
  }

  #agentReading(): AgentReading {
    const { outbox, link, agent } = this.#o;
    const cpu = process.cpuUsage();
    return {
      ...agent,
      ...this.#o.loopStats(),
      starts: outbox.starts,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      evidence: this.#o.evidenceStats?.(),
      disk: this.#o.diskStats?.(),
      channelRejected: this.#o.channelRejected(),
      commandCounts: this.#o.commandCounts(),
      signFailures: this.#o.signFailures?.() ?? {},
      redactions: this.#o.redactions?.() ?? [],
      held: this.#o.isHeld?.() ?? false,
      clockOffsetMs: link.clockOffsetMs(),
      outbox: outbox.stats(),
      link: link.stats(),
      scrapeFailures: this.#scrapeFailures,
      seriesDropped: this.#seriesDropped,
    };
  }

  #drop(component: string, names: readonly string[]): void {
    this.#count(this.#seriesDropped, component, names.length);
    const fresh = [...new Set(names)].filter((name) => this.#isNew(`${component} ${name}`));
    if (fresh.length > 0) {
      this.#o.log.warn('series are left out', { component, names: fresh.slice(0, 20) });
    }
  }

  #isNew(text: string): boolean {
    if (this.#said.has(text) || this.#said.size >= NAMES_SAID_MAX) return false;
    this.#said.add(text);
    return true;
  }

  #count(counts: Map<string, number>, component: string, by: number): void {
    counts.set(component, (counts.get(component) ?? 0) + by);
  }
}

export const startSampler = (options: SamplerOptions): Sampler => new AgentSampler(options);
