// What the kernel's own lists say of the machine, as text in and numbers out; host.ts reads them. Pure. Counters of
// several interfaces or disks are one series, and what is unplugged takes its bytes along: so growth is added up
// here, because a sum that falls looks like a restart to whoever reads it, and counts everything again.

import type { Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';

export type Counts = Readonly<Record<string, number>>;

export const hostSample = (
  name: MetricName,
  value: number,
  labels: Record<string, string> = {},
): Sample => ({ name, labels, value });

export type Memory = { readonly total: number; readonly available: number };
/** Bytes; nothing where they could not be had. */
export const memorySamples = (memory: Memory | undefined): Sample[] =>
  memory === undefined
    ? []
    : [
        hostSample('pos_host_memory_bytes', memory.total - memory.available, { state: 'used' }),
        hostSample('pos_host_memory_bytes', memory.available, { state: 'available' }),
      ];

const linesOf = (text: string | undefined): string[] => (text ?? '').split('\n');

/** /proc/net/dev: per interface what was received and sent [proc_pid_net(5)]. */
export function parseNetwork(text: string | undefined): Map<string, Counts> {
  const all = new Map<string, Counts>();
  for (const line of linesOf(text)) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (numbers.length < 12 || !numbers.every(Number.isFinite)) continue;
    const at = (index: number): number => numbers[index] ?? 0;
    all.set(line.slice(0, colon).trim(), {
      received: at(0),
      receivedErrors: at(2) + at(3),
      sent: at(8),
      sentErrors: at(10) + at(11),
    });
  }
  return all;
}

/** The kernel counts in these, whatever the disk's own are [Documentation/block/stat]. */
const SECTOR_BYTES = 512;

/** /proc/diskstats, partitions and all [proc_diskstats(5)]. */
export function parseDisks(text: string | undefined): Map<string, Counts> {
  const all = new Map<string, Counts>();
  for (const line of linesOf(text)) {
    const words = line.trim().split(/\s+/);
    const [read, written] = [Number(words[5]), Number(words[9])];
    if (words.length < 14 || !Number.isFinite(read) || !Number.isFinite(written)) continue;
    all.set(words[2] ?? '', { read: read * SECTOR_BYTES, written: written * SECTOR_BYTES });
  }
  return all;
}

/** Spaces and the like in a mount point are octal [fstab(5)]. */
const withBlanks = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/** The mount points of /proc/self/mounts. */
export const parseMounts = (text: string | undefined): string[] =>
  linesOf(text).flatMap((line) => {
    const mount = line.split(' ')[1];
    return mount === undefined ? [] : [withBlanks(mount)];
  });

/** The longest mount point that holds an absolute path. */
export function mountOf(path: string, mounts: readonly string[]): string | undefined {
  const holds = (mount: string): boolean =>
    path === mount || path.startsWith(mount.endsWith('/') ? mount : `${mount}/`);
  return mounts.filter(holds).sort((a, b) => b.length - a.length)[0];
}

/** What people call the system [os-release(5)]. */
export function parseOsName(text: string | undefined): string | undefined {
  const read = (key: string): string | undefined =>
    new RegExp(`^${key}=(["']?)(.*)\\1$`, 'm').exec(text ?? '')?.[2];
  return read('PRETTY_NAME') || read('NAME') || undefined;
}

/** Names of interfaces can be made up without end; a till has a handful. */
const NAMES_MAX = 256;

/** A sum over what comes and goes that never falls as long as the agent lives. */
export class Growth {
  readonly #last = new Map<string, Counts>();
  readonly #sums: Record<string, number> = {};

  add(all: ReadonlyMap<string, Counts>): void {
    for (const [name, counts] of all) {
      if (!this.#last.has(name) && this.#last.size >= NAMES_MAX) continue;
      const last = this.#last.get(name) ?? {};
      for (const [key, count] of Object.entries(counts)) {
        const before = last[key] ?? 0;
        // Below what it was: plugged in anew, and counting from nothing.
        const grown = count >= before ? count - before : count;
        this.#sums[key] = (this.#sums[key] ?? 0) + grown;
      }
      this.#last.set(name, counts);
    }
  }

  /** @returns undefined as long as nothing was added. */
  of(key: string): number | undefined {
    return this.#sums[key];
  }
}
