// What sampling remembers over a restart of the agent: which series have a place, which were named as left out, and
// which versions ran. One small file, written in the background when versions changed, and for the rest at most
// every ten minutes: losing it costs one repeated event or another choice of series, never a sample.

import * as v from 'valibot';
import type { Result } from '../../protocol/result.ts';
import type { Clock, Log } from '../ports.ts';
import { HELD_MAX } from './budget.ts';

const words = v.record(v.string(), v.string());
const place = v.object({
  key: v.pipe(v.string(), v.maxLength(8_192)),
  component: v.string(),
  isApp: v.boolean(),
  size: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
const schema = v.object({
  versions: v.optional(words, {}),
  leftOut: v.optional(words, {}),
  places: v.optional(v.pipe(v.array(place), v.maxLength(HELD_MAX)), []),
});
export type Remembered = v.InferOutput<typeof schema>;

const FILE_BYTES_MAX = 2 * 1024 * 1024;
export const SELDOM_MS = 10 * 60_000;

export type MemoryOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
};

function parse(text: string | undefined): Remembered | undefined {
  try {
    const read = v.safeParse(schema, JSON.parse(text ?? '{}'));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

export class SamplingMemory {
  readonly #o: MemoryOptions;
  readonly remembered: Remembered;
  #written: string;
  #atMs = Number.NEGATIVE_INFINITY;
  #writing = false;
  #urgent = false;

  constructor(options: MemoryOptions) {
    this.#o = options;
    const text = options.read(options.path, FILE_BYTES_MAX);
    const remembered = parse(text);
    if (remembered === undefined) options.log.warn(`${options.path} cannot be read: begun anew`);
    this.remembered = remembered ?? { versions: {}, leftOut: {}, places: [] };
    this.#written = text ?? '';
  }

  /** @param state asked only when it is time. @param urgent it is time now. */
  keep(state: () => Partial<Remembered>, urgent: boolean): void {
    const { path, write, clock, log } = this.#o;
    this.#urgent ||= urgent;
    const now = clock.monotonicMs();
    if (this.#writing || (!this.#urgent && now - this.#atMs < SELDOM_MS)) return;
    this.#atMs = now;
    this.#urgent = false;
    const text = JSON.stringify(state());
    if (text === this.#written) return;
    this.#writing = true;
    void write(path, text).then((written) => {
      this.#writing = false;
      if (written.ok) this.#written = text;
      else log.warn(`sampling is not remembered: ${written.reason}`);
    });
  }
}
