// Facts about the machine, for each sample. Memory by systeminformation, which reads one file without waiting (0.4 ms
// of our processor time). Of the rest its calls stop the whole agent for a shell (execSync in fsSize, networkStats,
// cpuTemperature, osInfo and system of 5.33; `hostname -f` can wait for a name server), and in that time nothing is
// watched; so the kernel's own lists are read here, which costs a tenth of a millisecond. What a disk must answer is
// asked without waiting for it: a dead mount keeps its last known value, and everything else goes on.

import { type CpuInfo, cpus, loadavg, release, uptime } from 'node:os';
import { resolve } from 'node:path';
import type { mem } from 'systeminformation';
import type { Sample } from '../../protocol/metric-body.ts';
import type { SpaceReading } from '../disk-keeper.ts';
import type { Clock, Files, Log, Timers } from '../ports.ts';
import { findSensor, readCelsius } from '../system/machine.ts';
import { readSpace } from '../system/space.ts';
import { parsePressure } from '../watchdog/proc.ts';
import {
  Growth,
  type Memory,
  memorySamples,
  mountOf,
  parseDisks,
  parseMounts,
  parseNetwork,
  parseOsName,
  hostSample as sample,
} from './host-facts.ts';

export type HostReader = () => Promise<readonly Sample[]>;
export type HostOptions = { readonly dataDir: string; readonly logDir?: string };
export type HostPorts = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly files: Pick<Files, 'read' | 'reread' | 'readLink' | 'isDirectory'>;
  /** For tests. */
  readonly space?: (folder: string) => Promise<SpaceReading | undefined>;
  readonly celsius?: () => Promise<number | undefined>;
  readonly memoryOf?: () => Promise<Memory>;
};

/** What can be plugged in, and what an upgrade of the system changes. */
const RARELY_MS = 60 * 60_000;
/** Disks fill in minutes, and each question goes through the thread pool (half a millisecond). */
const DISKS_MS = 45_000;
/** A dead disk does not answer; the last known values are used meanwhile. */
const SLOW_TIMEOUT_MS = 1_000;
const RESOURCES = ['cpu', 'memory', 'io'] as const;

type Spent = { readonly busyMs: number; readonly allMs: number };

/** Processor time of all cores since boot. */
export const spentOf = (cores: readonly Pick<CpuInfo, 'times'>[]): Spent => {
  let busyMs = 0;
  let allMs = 0;
  for (const { times } of cores) {
    const { user, nice, sys, irq, idle } = times;
    busyMs += user + nice + sys + irq;
    allMs += user + nice + sys + irq + idle;
  }
  return { busyMs, allMs };
};

/** Since the reading before; of the first one, since boot. */
export const busyRatio = (before: Spent, now: Spent): number =>
  (now.busyMs - before.busyMs) / (now.allMs - before.allMs);

/**
 * Only the part that is read: the whole is 210 kB of source more, kept in memory for facts about graphics,
 * Bluetooth and printers. The parts have no types of their own; those of the whole hold.
 */
const loadMemory = async (): Promise<{ mem: typeof mem }> =>
  // @ts-expect-error: no types
  (await import('systeminformation/lib/memory.js')).default;

const readMemory = async (): Promise<Memory> => (await loadMemory()).mem();

const finite = (samples: readonly Sample[]): Sample[] =>
  samples.filter(({ value }) => Number.isFinite(value));

export type FileSystem = SpaceReading & { readonly mount: string; readonly isOurs: boolean };

export const fileSystemSamples = (all: readonly FileSystem[]): Sample[] =>
  all.flatMap(({ mount, isOurs, freeBytes, totalBytes, readOnly }) => [
    ...(isOurs
      ? [
          sample('pos_host_filesystem_bytes', totalBytes - freeBytes, { state: 'used' }),
          sample('pos_host_filesystem_bytes', freeBytes, { state: 'available' }),
        ]
      : []),
    sample('pos_host_filesystem_free_ratio', freeBytes / totalBytes, { mount }),
    sample('pos_host_filesystem_readonly', readOnly ? 1 : 0, { mount }),
  ]);

/** Pure but for the files that it reads, which are the kernel's and never wait. */
class Kernel {
  readonly #files: HostPorts['files'];
  readonly #network = new Growth();
  readonly #disks = new Growth();
  readonly #isReal = new Map<string, boolean>();
  #spent: Spent = { busyMs: 0, allMs: 0 };

  constructor(files: HostPorts['files']) {
    this.#files = files;
  }

  /** What is plugged in may have another name by now. */
  forget(): void {
    this.#isReal.clear();
  }

  read(): Sample[] {
    const before = this.#spent;
    this.#spent = spentOf(cpus());
    return [
      sample('pos_host_cpu_ratio', busyRatio(before, this.#spent)),
      sample('pos_host_load1', loadavg()[0] ?? 0),
      sample('pos_host_uptime_seconds', Math.round(uptime())),
      ...this.#pressure(),
      ...this.#plugged(),
    ];
  }

  #pressure(): Sample[] {
    return RESOURCES.flatMap((resource) => {
      const some = parsePressure(this.#files.reread(`/proc/pressure/${resource}`))?.some;
      return some === undefined
        ? []
        : [sample('pos_host_pressure_ratio', some / 100, { resource })];
    });
  }

  #plugged(): Sample[] {
    const wires = parseNetwork(this.#files.reread('/proc/net/dev'));
    wires.delete('lo');
    const real = this.#only(wires, (name) => this.#hasDevice(`/sys/class/net/${name}`));
    // In a container the only way out is a virtual one.
    this.#network.add(real.size > 0 ? real : wires);
    const disks = parseDisks(this.#files.reread('/proc/diskstats'));
    // A partition has no folder of its own there, and is part of its disk.
    this.#disks.add(this.#only(disks, (name) => this.#hasDevice(`/sys/block/${name}`)));
    const one = (name: Parameters<typeof sample>[0], value: number | undefined, way: string) =>
      value === undefined ? [] : [sample(name, value, { direction: way })];
    return [
      ...one('pos_host_network_bytes_total', this.#network.of('received'), 'received'),
      ...one('pos_host_network_bytes_total', this.#network.of('sent'), 'sent'),
      ...one('pos_host_network_errors_total', this.#network.of('receivedErrors'), 'received'),
      ...one('pos_host_network_errors_total', this.#network.of('sentErrors'), 'sent'),
      ...one('pos_host_disk_bytes_total', this.#disks.of('read'), 'read'),
      ...one('pos_host_disk_bytes_total', this.#disks.of('written'), 'written'),
    ];
  }

  /** sysfs says where its device sits; what is made of software sits under `virtual` [sysfs(5)]. */
  #hasDevice(path: string): boolean {
    const place = this.#files.readLink(path);
    return place !== undefined && !place.includes('/virtual/');
  }

  #only<T>(all: ReadonlyMap<string, T>, judge: (name: string) => boolean): Map<string, T> {
    return new Map(
      [...all].filter(([name]) => {
        const known = this.#isReal.get(name) ?? judge(name);
        this.#isReal.set(name, known);
        return known;
      }),
    );
  }
}

class MachineReader {
  readonly #o: HostOptions;
  readonly #p: HostPorts;
  readonly #kernel: Kernel;
  readonly #known = new Map<string, FileSystem>();
  /** Asked and not answered yet, by what is asked. */
  readonly #asked = new Set<string>();
  #disksAtMs = Number.NEGATIVE_INFINITY;
  #places: ReadonlyMap<string, string> = new Map();
  #rarelyAtMs = Number.NEGATIVE_INFINITY;
  #info: Sample[] = [];
  #sensor: string | undefined;
  #celsius: number | undefined;
  #memory: Memory | undefined;
  #said = false;

  constructor(options: HostOptions, ports: HostPorts) {
    this.#o = options;
    this.#p = ports;
    this.#kernel = new Kernel(ports.files);
  }

  readonly read = async (): Promise<readonly Sample[]> => {
    try {
      await this.#rarely();
      const slow = this.#ask('celsius', () => this.#feel());
      const disks = this.#askDisks();
      this.#memory = undefined;
      const memory = this.#ask('memory', () => this.#recall());
      await this.#within([slow, memory, ...disks]);
      const celsius = this.#celsius;
      return finite([
        ...this.#kernel.read(),
        ...memorySamples(this.#memory),
        ...fileSystemSamples(
          [...this.#known.values()].filter(({ mount }) => this.#places.has(mount)),
        ),
        ...(celsius === undefined ? [] : [sample('pos_host_temperature_celsius', celsius)]),
        ...this.#info,
      ]);
    } catch (error) {
      if (!this.#said) this.#p.log.warn('host facts cannot be read', { reason: String(error) });
      this.#said = true;
      return this.#info;
    }
  };

  async #rarely(): Promise<void> {
    const { clock, files } = this.#p;
    if (clock.monotonicMs() - this.#rarelyAtMs < RARELY_MS) return;
    this.#rarelyAtMs = clock.monotonicMs();
    this.#kernel.forget();
    const os = parseOsName(files.read('/etc/os-release') ?? files.read('/usr/lib/os-release'));
    const read = (name: string): string => files.read(`/sys/class/dmi/id/${name}`)?.trim() ?? '';
    const board = files.read('/proc/device-tree/model')?.replaceAll('\0', '').trim();
    const model = board || `${read('sys_vendor')} ${read('product_name')}`.trim();
    const labels = { os: os ?? 'unknown', kernel: release(), model: model || 'unknown' };
    this.#info = [sample('pos_host_info', 1, labels)];
    await this.#within([
      this.#ask('sensor', async () => {
        this.#sensor = await findSensor();
      }),
    ]);
  }

  #askDisks(): Promise<void>[] {
    const now = this.#p.clock.monotonicMs();
    if (now - this.#disksAtMs < DISKS_MS) return [];
    this.#disksAtMs = now;
    this.#places = this.#findPlaces();
    return [...this.#places].map(([mount, folder]) =>
      this.#ask(mount, () => this.#measure(mount, folder)),
    );
  }

  /** Each file system once, with a folder on it: the root, and where our data and the components' output are. */
  #findPlaces(): Map<string, string> {
    const { dataDir, logDir = dataDir } = this.#o;
    const mounts = parseMounts(this.#p.files.read('/proc/self/mounts'));
    const of = (folder: string) => [mountOf(resolve(folder), mounts) ?? '/', folder] as const;
    return new Map([['/', '/'], of(logDir), of(dataDir)]);
  }

  async #measure(mount: string, folder: string): Promise<void> {
    const found = await (this.#p.space ?? readSpace)(folder);
    const isOurs = folder === this.#o.dataDir;
    if (found === undefined || found.totalBytes <= 0) this.#known.delete(mount);
    else this.#known.set(mount, { ...found, mount, isOurs });
  }

  /** Through the thread pool like the disks: where all its threads wait for dead ones, so does this. */
  async #recall(): Promise<void> {
    this.#memory = await (this.#p.memoryOf ?? readMemory)();
  }

  async #feel(): Promise<void> {
    const read = this.#p.celsius;
    if (read === undefined && this.#sensor === undefined) return;
    this.#celsius = await (read ?? (() => readCelsius(this.#sensor ?? '')))();
  }

  /** One question at a time of each kind: what does not answer must not take all threads of the pool. */
  #ask(what: string, run: () => Promise<void>): Promise<void> {
    if (this.#asked.has(what)) return Promise.resolve();
    this.#asked.add(what);
    return run()
      .catch(() => undefined)
      .finally(() => this.#asked.delete(what));
  }

  #within(asked: readonly Promise<void>[]): Promise<void> {
    return new Promise((done) => {
      const cancel = this.#p.timers.after(SLOW_TIMEOUT_MS, done);
      void Promise.all(asked).then(() => {
        cancel();
        done();
      });
    });
  }
}

/** A reader that never rejects: what cannot be read is left out and said once. */
export const createHostReader = (options: HostOptions, ports: HostPorts): HostReader =>
  new MachineReader(options, ports).read;
