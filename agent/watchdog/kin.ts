// Who was seen as a child of a component while it lived. A process that cleans its environment, leaves the session and
// loses its parent carries no sign any more of where it came from; only having been seen before tells. It is
// remembered by pid and start time, so that a number which the kernel gave to somebody else means nobody. A
// daemon that does all three between two looks is not found; nothing short of a cgroup would find that.

import type { Ports } from '../ports.ts';
import type { Life } from './end-watch.ts';
import { readStat } from './identity.ts';
import type { Stat } from './proc.ts';

/** Of one life; a fork bomb is met by its group, not by this. */
const SEEN_MAX = 512;
/** The lives of all components and some that ended. */
const LIVES_MAX = 64;

/** Pid and start time. */
export type Kin = ReadonlyMap<number, number>;

const nobody: Kin = new Map();

export class Kindred {
  readonly #lives = new Map<string, Map<number, number>>();

  of(instance: string): Kin {
    return this.#lives.get(instance) ?? nobody;
  }

  #open(instance: string): Map<number, number> {
    const seen = this.#lives.get(instance) ?? new Map<number, number>();
    this.#lives.set(instance, seen);
    const [oldest] = this.#lives.keys();
    if (this.#lives.size > LIVES_MAX && oldest !== undefined) this.#lives.delete(oldest);
    return seen;
  }

  /** After a look through all of /proc: these, and nobody who was not found any more. */
  remember(instance: string, members: readonly Stat[]): void {
    const seen = this.#open(instance);
    seen.clear();
    for (const { pid, startTicks } of members.slice(0, SEEN_MAX)) seen.set(pid, startTicks);
  }

  /** Between two such looks: the children of the main thread, one read [proc(5), task/TID/children]. */
  glance({ files }: Ports, { instance, main }: Life): void {
    const at = `/proc/${main.pid}/task/${main.pid}/children`;
    const children = files.reread(at)?.trim();
    if (children === undefined || children === '') return;
    const seen = this.#open(instance);
    for (const pid of children.split(' ').map(Number)) {
      if (seen.has(pid) || seen.size >= SEEN_MAX) continue;
      const stat = readStat(files, pid);
      if (stat?.parent === main.pid) seen.set(pid, stat.startTicks);
    }
  }
}
