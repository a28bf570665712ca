// The bundles of evidence that stay on the till: a folder for each component, oldest go first, bounded in number
// and in bytes. One write at a time, in the background, through a temporary name, so that no reader sees half a
// bundle; a disk that is full, read-only or hung costs the bundle and a counter, never the agent's time. Plain
// JSON and not the outbox, because whoever stands at a till with nothing but a shell must be able to read it.

import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log } from '../ports.ts';
import type { Bundle } from './bundle.ts';

/** A bundle of more is not written: it would be the journal once more. */
export const BUNDLE_BYTES_MAX = 256 * 1024;
/** On a disk that hangs, more than this do not wait in memory. */
const WAITING_MAX = 8;
/** The same story again within the hour is only counted (research/supervisors.md c). */
const SAME_MS = 60 * 60_000;
const SIGNATURES_MAX = 500;
/** As `write` names them: whatever else lies there is not ours to remove. */
const BUNDLE_NAME = /^\d{14,}-\d+-(suspect|confirmed|exit)\.json(\.new)?$/;

export type RingStats = {
  readonly bytes: number;
  readonly bundles: number;
  /** Removed for room, refused by the disk, or the same as one of this hour. */
  readonly dropped: number;
};

export type Ring = {
  /** @returns the file that it will be in, or nothing when it is only counted. */
  readonly write: (bundle: Bundle, signature: string) => string | undefined;
  /** From now on at most so many bytes, and never more than configured; Infinity lifts it. */
  readonly shed: (bytesMax: number) => Promise<void>;
  readonly stats: () => RingStats;
  /** When everything asked for so far is done; for ever on a disk that hangs. */
  readonly settled: () => Promise<void>;
};

export type RingOptions = {
  readonly folder: string;
  /** Of each component. */
  readonly bundlesMax: number;
  /** Of all together. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
};

type Kept = { readonly component: string; readonly path: string; readonly bytes: number };

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** And no link to one: what lies behind it is somebody else's. */
const isFolder = (path: string): Promise<boolean> =>
  lstat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );

class EvidenceRing {
  readonly #options: RingOptions;
  /** Oldest first. By arrival and not by the name's time: after a clock was set back, new is still new. */
  #kept: Kept[] = [];
  readonly #written = new Map<string, number>();
  #queue: Promise<void>;
  #waiting = 0;
  #dropped = 0;
  #bytesMax: number;
  #trouble = '';
  #number = 0;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax;
    this.#queue = this.#load();
  }

  async #load(): Promise<void> {
    const { folder } = this.#options;
    const found: (Kept & { readonly name: string })[] = [];
    for (const component of await readdir(folder).catch(() => [])) {
      if (!(await isFolder(join(folder, component)))) continue;
      for (const name of await readdir(join(folder, component)).catch(() => [])) {
        const path = join(folder, component, name);
        if (!BUNDLE_NAME.test(name)) continue;
        if (name.endsWith('.new')) {
          await this.#remove(path);
          continue;
        }
        const size = await stat(path).then(
          ({ size: bytes }) => bytes,
          () => undefined,
        );
        if (size !== undefined) found.push({ component, path, bytes: size, name });
      }
    }
    found.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#kept = [...found, ...this.#kept];
    await this.#prune();
  }

  #remove(path: string): Promise<boolean> {
    return rm(path, { force: true }).then(
      () => true,
      (error: unknown) => this.#failed(error),
    );
  }

  #failed(error: unknown): false {
    const code = codeOf(error);
    if (code !== this.#trouble) {
      this.#options.log.warn('evidence: the ring on disk cannot be kept', { reason: code });
    }
    this.#trouble = code;
    return false;
  }

  /** What is too much goes, the oldest first; what cannot be removed is not counted as gone. */
  async #prune(): Promise<void> {
    const { bundlesMax } = this.#options;
    const counts = new Map<string, number>();
    let bytes = 0;
    const doomed: Kept[] = [];
    for (const kept of this.#kept.toReversed()) {
      const count = (counts.get(kept.component) ?? 0) + 1;
      counts.set(kept.component, count);
      bytes += kept.bytes;
      if (count > bundlesMax || bytes > this.#bytesMax) doomed.push(kept);
    }
    for (const kept of doomed) {
      if (!(await this.#remove(kept.path))) continue;
      this.#kept = this.#kept.filter((one) => one !== kept);
      this.#dropped += 1;
    }
  }

  #later(work: () => Promise<void>): Promise<void> {
    this.#waiting += 1;
    const done = this.#queue.then(work).catch((error: unknown) => void this.#failed(error));
    this.#queue = done.finally(() => {
      this.#waiting -= 1;
    });
    return this.#queue;
  }

  #isNew(signature: string): boolean {
    const now = this.#options.clock.monotonicMs();
    const before = this.#written.get(signature);
    if (before !== undefined && now - before < SAME_MS) return false;
    this.#written.delete(signature); // at the end of the order again
    this.#written.set(signature, now);
    const [oldest] = this.#written.keys();
    if (this.#written.size > SIGNATURES_MAX && oldest !== undefined) this.#written.delete(oldest);
    return true;
  }

  write(bundle: Bundle, signature: string): string | undefined {
    if (this.#waiting >= WAITING_MAX || !this.#isNew(signature)) return this.#drop();
    const json = `${JSON.stringify(bundle)}\n`;
    const bytes = Buffer.byteLength(json);
    if (bytes > Math.min(BUNDLE_BYTES_MAX, this.#bytesMax)) return this.#drop();
    this.#number += 1;
    const stamp = String(Math.trunc(bundle.wallMs)).padStart(14, '0');
    const name = `${stamp}-${this.#number}-${bundle.phase}.json`;
    const folder = join(this.#options.folder, bundle.component);
    const kept = { component: bundle.component, path: join(folder, name), bytes };
    void this.#later(() => this.#put(folder, kept, json, signature));
    return join(bundle.component, name);
  }

  #drop(): undefined {
    this.#dropped += 1;
    return undefined;
  }

  async #put(folder: string, kept: Kept, json: string, signature: string): Promise<void> {
    const temporary = `${kept.path}.new`;
    try {
      // Step by step: what is wrong with them shows when the file is opened.
      await mkdir(this.#options.folder, { mode: 0o700 }).catch(() => undefined);
      await mkdir(folder, { mode: 0o700 }).catch(() => undefined);
      if (!(await isFolder(folder))) throw new Error('is not a folder');
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(json);
        await file.sync(); // the next rung may be a reboot
      } finally {
        await file.close();
      }
      await rename(temporary, kept.path);
      this.#kept.push(kept);
      this.#trouble = '';
    } catch (error) {
      this.#dropped += 1;
      this.#written.delete(signature);
      this.#failed(error);
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    await this.#prune();
  }

  async shed(bytesMax: number): Promise<void> {
    this.#bytesMax = Math.max(0, Math.min(this.#options.bytesMax, bytesMax));
    // One prune at a time is enough, and on a disk that hangs they must not pile up.
    if (this.#waiting < WAITING_MAX) await this.#later(() => this.#prune());
  }

  stats(): RingStats {
    const bytes = this.#kept.reduce((sum, kept) => sum + kept.bytes, 0);
    return { bytes, bundles: this.#kept.length, dropped: this.#dropped };
  }

  settled(): Promise<void> {
    return this.#queue;
  }
}

/** Never throws, whatever the folder is; it is made when the first bundle is written. */
export function openRing(options: RingOptions): Ring {
  const ring = new EvidenceRing(options);
  return {
    write: (bundle, signature) => ring.write(bundle, signature),
    shed: (bytesMax) => ring.shed(bytesMax),
    stats: () => ring.stats(),
    settled: () => ring.settled(),
  };
}
