// What the components themselves expose: each is scraped, read and brought under outward names by its own rules, all
// at the same time, because one that hangs must not make the others late. What could not be had is counted by
// component and said once, never guessed.

import type { MetricRules } from '../../configuration/metrics.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Log, Timers } from '../ports.ts';
import { parseExposition } from './exposition.ts';
import type { ComponentReading } from './readings.ts';
import { judgeOf } from './rules.ts';
import { scrape } from './scrape.ts';
import { type Outward, outwardOf, type Scraped } from './series.ts';

export type ExposedOptions = {
  readonly timers: Timers;
  readonly log: Log;
  /** By component; everything passes where there are none. */
  readonly rules?: ReadonlyMap<string, MetricRules>;
  /** Counted from the component's output: under outward names already. */
  readonly asked?: (component: string) => readonly Sample[];
};

/** Reasons that are said in the log; then only the counters go on. */
const SAID_MAX = 200;

export class Exposed {
  readonly failures = new Map<string, number>();
  /** Lines that could not be read. */
  readonly garbage = new Map<string, number>();
  readonly #o: ExposedOptions;
  readonly #judges = new Map<string, ReturnType<typeof judgeOf>>();
  readonly #said = new Set<string>();

  constructor(options: ExposedOptions) {
    this.#o = options;
  }

  async read(components: readonly ComponentReading[]): Promise<Outward[]> {
    const all = await Promise.all(components.map((reading) => this.#readOne(reading)));
    return all.filter((outward) => outward !== undefined);
  }

  async #readOne(reading: ComponentReading): Promise<Outward | undefined> {
    const { name: component, metricsUrl, version, runningVersion = version } = reading;
    const asked = this.#o.asked?.(component) ?? [];
    const found = metricsUrl === undefined ? undefined : await this.#scrape(component, metricsUrl);
    if (found === undefined && asked.length === 0) return undefined;
    const judge = this.#judgeOf(component);
    const scraped: Scraped = { component, samples: [], asked, judge, version: runningVersion };
    return outwardOf({ ...scraped, ...found });
  }

  async #scrape(component: string, url: string) {
    const body = await scrape(url, this.#o.timers);
    if (!body.ok) {
      count(this.failures, component, 1);
      this.#say(component, body.reason);
      return undefined;
    }
    const { samples, types, garbageLines } = parseExposition(body.value);
    if (garbageLines > 0) count(this.garbage, component, garbageLines);
    return { samples, types };
  }

  #judgeOf(component: string): ReturnType<typeof judgeOf> {
    const judge = this.#judges.get(component) ?? judgeOf(this.#o.rules?.get(component));
    this.#judges.set(component, judge);
    return judge;
  }

  #say(component: string, reason: string): void {
    const text = `${component} ${reason}`;
    if (this.#said.has(text) || this.#said.size >= SAID_MAX) return;
    this.#said.add(text);
    this.#o.log.warn('a component cannot be scraped', { component, reason });
  }
}

function count(counts: Map<string, number>, component: string, by: number): void {
  counts.set(component, (counts.get(component) ?? 0) + by);
}
