// Samples of a simulated terminal that wait unsealed, oldest first, in a bound of hours. As on the agent's
// own shelf (telemetry/shelf.ts) the newest minute is live and goes first; what is older is backlog and
// goes ten minutes to a batch.

import * as limits from '../../protocol/limits.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { type Packed, packSnapshots } from '../telemetry/seal.ts';
import { type Compact, compact, expand } from './compact.ts';

/** Six hours offline at four samplings a minute. */
export const SNAPSHOTS_MAX = 1_440;
/** Timers are late: a live batch may span this much more than asked for. */
const LIVE_SLACK_RATIO = 1.25;

/** `mono`: set while the broker's time was not known. */
type Waiting = { readonly id: number; readonly what: Compact; readonly mono: number | undefined };
export type Taken = Packed & { readonly samples: number };

const count = (waiting: readonly Waiting[]): number =>
  waiting.reduce((sum, { what }) => sum + what.values.length, 0);

export class Shelf {
  #snapshots: Waiting[] = [];
  #nextId = 1;
  #last: Compact | undefined;
  /** Newest snapshot that went out live: what is older is backlog now. */
  #liveTo = 0;

  get samples(): number {
    return count(this.#snapshots);
  }

  isEmpty(): boolean {
    return this.#snapshots.length === 0;
  }

  clear(): void {
    this.#snapshots = [];
  }

  /** @returns how many samples were dropped for it. */
  add(snapshot: Snapshot, mono: number | undefined): number {
    this.#last = compact(snapshot, this.#last);
    this.#snapshots.push({ id: this.#nextId, what: this.#last, mono });
    this.#nextId += 1;
    return this.#snapshots.length > SNAPSHOTS_MAX ? count(this.#snapshots.splice(0, 1)) : 0;
  }

  /** @param resolve the corrected time of something that was stamped before the broker's was known. */
  takeLive(sendMs: number, resolve: Resolve): Taken | undefined {
    const from = this.#liveFrom(sendMs);
    const newest = this.#snapshots.at(-1)?.id;
    const taken = this.#take(from, this.#snapshots.length, resolve);
    if (taken !== undefined && newest !== undefined) this.#liveTo = newest;
    return taken;
  }

  takeBacklog(sendMs: number, resolve: Resolve): Taken | undefined {
    return this.#take(0, this.#liveFrom(sendMs), resolve);
  }

  /** Where the newest minute begins. */
  #liveFrom(sendMs: number): number {
    const endMs = this.#snapshots.at(-1)?.what.timeMs ?? 0;
    const isLive = ({ id, what }: Waiting): boolean =>
      id > this.#liveTo && Math.abs(endMs - what.timeMs) <= sendMs * LIVE_SLACK_RATIO;
    return this.#snapshots.findLastIndex((waiting) => !isLive(waiting)) + 1;
  }

  #take(from: number, until: number, resolve: Resolve): Taken | undefined {
    const group = this.#snapshots.slice(from, until);
    const first = group[0];
    if (first === undefined) return undefined;
    const end = group.findIndex(
      ({ what }) => Math.abs(what.timeMs - first.what.timeMs) >= limits.SEAL_SPAN_MS,
    );
    const spanned = end === -1 ? group : group.slice(0, end);
    const packed = packSnapshots(
      spanned.map(({ what, mono }) => expand(what, Math.max(0, resolve(what.timeMs, mono)))),
    );
    return { ...packed, samples: count(this.#snapshots.splice(from, packed.taken)) };
  }
}

export type Resolve = (timeMs: number, mono: number | undefined) => number;
