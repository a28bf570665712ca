// Counters that must not go back to zero with the agent: restarts of each component by cause. A counter
// belongs to the version that was restarted, because a new version must not inherit the
// failures of the old one. One small file, written at most once a second; what a power cut can take is
// one second of counting, while the events in the outbox still tell each restart.

import * as v from 'valibot';
import { CAUSES, type Cause } from '../protocol/events.ts';
import type { Result } from '../protocol/result.ts';
import type { Log } from './ports.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const schema = v.object({
  components: v.record(
    v.string(),
    v.object({ version: v.string(), restarts: v.record(v.string(), count) }),
  ),
});
type State = v.InferOutput<typeof schema>;

export type RestartsByCause = Readonly<Record<Cause, number>>;
const none = (): Record<Cause, number> =>
  Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;

export type CountersOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  readonly write: (path: string, text: string) => Result<void>;
  readonly log: Log;
};

const FILE_BYTES_MAX = 64 * 1024;

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
      this.#state.components[name] = { version, restarts };
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

  /** Called from the sweep and at the end. */
  save(): void {
    if (!this.#changed) return;
    const written = this.#options.write(this.#options.path, JSON.stringify(this.#state));
    // Tried again with the next change, not each second: a full disk needs no help.
    this.#changed = false;
    if (!written.ok) this.#options.log.error(`counters: ${written.reason}`);
  }
}
