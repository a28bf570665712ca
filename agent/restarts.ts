// Counters that must not go back to zero with the agent: restarts of each component by cause, and the rungs of the
// ladder that were used, held or suppressed. A restart belongs to the version that was restarted, because a new
// version must not inherit the failures of the old one; rungs carry no version. One small file, written at most
// once a second; what a power cut can take is one second of counting, while the events still tell each restart.

import * as v from 'valibot';
import { CAUSES, type Cause } from '../protocol/events.ts';
import type { Result } from '../protocol/result.ts';
import type { Log } from './ports.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const RUNG_COUNTS_MAX = 200;
/** Keys are label values joined by a blank: none of them holds one. */
const counts = v.record(v.string(), count);
const ladderSchema = v.object({ used: counts, outcomes: counts, suppressed: counts });
const schema = v.object({
  components: v.record(
    v.string(),
    v.object({
      version: v.string(),
      restarts: v.record(v.string(), count),
      ladder: v.optional(ladderSchema),
    }),
  ),
});
type State = v.InferOutput<typeof schema>;

type Ladder = v.InferOutput<typeof ladderSchema>;

export type RungCount = { readonly rung: string; readonly count: number };
export type LadderCounts = {
  readonly used: readonly (RungCount & { readonly cause: string })[];
  readonly outcomes: readonly (RungCount & { readonly outcome: string })[];
  readonly suppressed: readonly (RungCount & { readonly cause: string })[];
};

export type RestartsByCause = Readonly<Record<Cause, number>>;
const none = (): Record<Cause, number> =>
  Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;

export type CountersOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** In the background: a disk that hangs must not stop who supervises. */
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly log: Log;
};

const FILE_BYTES_MAX = 512 * 1024;

function parse(text: string | undefined): State | undefined {
  if (text === undefined) return { components: {} };
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

export class Counters {
  readonly #options: CountersOptions;
  readonly #state: State;
  #changed = false;
  #saving: Promise<void> | undefined;

  /** @param components names with the version that is configured. */
  constructor(options: CountersOptions, components: ReadonlyMap<string, string>) {
    this.#options = options;
    const { path, read, log } = options;
    const state = parse(read(path, FILE_BYTES_MAX));
    if (state === undefined) log.error(`${path} cannot be read: restarts are counted anew`);
    this.#state = { components: {} };
    for (const [name, version] of components) {
      const known = state?.components[name];
      const restarts = known?.version === version ? known.restarts : {};
      const ladder = known?.ladder ?? { used: {}, outcomes: {}, suppressed: {} };
      this.#state.components[name] = { version, restarts, ladder };
    }
  }

  restarts(component: string): RestartsByCause {
    return { ...none(), ...this.#state.components[component]?.restarts };
  }

  count(component: string, cause: Cause): void {
    const restarts = this.#state.components[component]?.restarts;
    if (restarts === undefined) return;
    restarts[cause] = (restarts[cause] ?? 0) + 1;
    this.#changed = true;
  }

  ladder(component: string): LadderCounts {
    const {
      used = {},
      outcomes = {},
      suppressed = {},
    } = this.#state.components[component]?.ladder ?? {};
    const pairs = (all: Readonly<Record<string, number>>) =>
      Object.entries(all).map(([key, count]) => {
        const [rung = '', word = ''] = key.split(' ');
        return { rung, word, count };
      });
    const byCause = ({ rung, word: cause, count }: ReturnType<typeof pairs>[number]) => ({
      ...{ rung, cause, count },
    });
    return {
      used: pairs(used).map(byCause),
      outcomes: pairs(outcomes).map(({ rung, word, count }) => ({ rung, outcome: word, count })),
      suppressed: pairs(suppressed).map(byCause),
    };
  }

  countLadder(component: string, what: keyof Ladder, rung: string, word: string): void {
    const counted = this.#state.components[component]?.ladder?.[what];
    const key = `${rung} ${word}`;
    if (counted === undefined) return;
    if (counted[key] === undefined && Object.keys(counted).length >= RUNG_COUNTS_MAX) return;
    counted[key] = (counted[key] ?? 0) + 1;
    this.#changed = true;
  }

  /** Called from the sweep and at the end; one write at a time. @returns when what was counted is written. */
  save(): Promise<void> {
    if (this.#changed && this.#saving === undefined) this.#saving = this.#write();
    return this.#saving ?? Promise.resolve();
  }

  /** With what was counted while a write was under way. */
  async saveAll(): Promise<void> {
    await this.save();
    await this.save();
  }

  async #write(): Promise<void> {
    const { path, write, log } = this.#options;
    // Tried again with the next change, not each second: a full disk needs no help.
    this.#changed = false;
    const written = await write(path, JSON.stringify(this.#state));
    this.#saving = undefined;
    if (!written.ok) log.error(`counters: ${written.reason}`);
  }
}
