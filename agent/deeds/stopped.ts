// Components that an operator has stopped: they stay so over the death of the agent and over a reboot, until somebody
// starts them. On disk before the component is asked to stop, because a till that starts by itself what was switched
// off by a person would be the one thing that he cannot trust. A file that cannot be read stops nobody.

import * as v from 'valibot';
import type { Result } from '../../protocol/result.ts';
import type { Log } from '../ports.ts';

const FILE_BYTES_MAX = 64 * 1024;

const schema = v.record(v.string(), v.object({ by: v.string(), reason: v.string() }));
export type Stop = { readonly by: string; readonly reason: string };

export const stayReason = ({ by, reason }: Stop): string =>
  `${by} has stopped it, until somebody starts it: ${reason}`;

export type StoppedOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** Durable when it returns. */
  readonly write: (path: string, text: string) => Result<void>;
  readonly log: Log;
};

export class Stopped {
  readonly #options: StoppedOptions;
  #stops: Readonly<Record<string, Stop>>;

  constructor(options: StoppedOptions) {
    this.#options = options;
    this.#stops = read(options);
  }

  readonly has = (component: string): boolean => Object.hasOwn(this.#stops, component);

  readonly of = (component: string): Stop | undefined =>
    this.has(component) ? this.#stops[component] : undefined;

  add(component: string, stop: Stop): Result<void> {
    return this.#keep({ ...this.#stops, [component]: stop });
  }

  remove(component: string): Result<void> {
    if (!this.has(component)) return { ok: true, value: undefined };
    const { [component]: _, ...others } = this.#stops;
    return this.#keep(others);
  }

  #keep(stops: Readonly<Record<string, Stop>>): Result<void> {
    const written = this.#options.write(this.#options.path, JSON.stringify(stops));
    if (written.ok) this.#stops = stops;
    return written;
  }
}

function read({ path, read: readFile, log }: StoppedOptions): Readonly<Record<string, Stop>> {
  const text = readFile(path, FILE_BYTES_MAX);
  if (text === undefined) return {};
  try {
    return v.parse(schema, JSON.parse(text));
  } catch {
    log.error(`${path} cannot be read: what an operator had stopped is started`, { path });
    return {};
  }
}
