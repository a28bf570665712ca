// Facts about the machine, by systeminformation. Measured on 5.33 (two cores): mem 0.5 ms of our own
// processor time, read each time; fsSize 4 ms and networkStats 2 ms plus shell processes of their own (df,
// ip, cat), so those are read every five minutes and repeated in between. Of the network only the default
// interface, because listing all of them costs 60 ms. Processor time, uptime and load come from node:os:
// systeminformation runs shells for them, and for the load it waits for one (execSync, 7 to 27 ms in which
// nothing is watched). Imported with the first reading: an agent must supervise before it measures.

import { type CpuInfo, cpus, loadavg, uptime } from 'node:os';
import { resolve, sep } from 'node:path';
import type { fsSize, mem, networkStats, Systeminformation } from 'systeminformation';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Clock, Log, Timers } from '../ports.ts';

export type HostReader = () => Promise<readonly Sample[]>;

const SLOW_EVERY_MS = 5 * 60_000;
/** A dead network mount blocks `df`; the last known values are used meanwhile. */
const SLOW_TIMEOUT_MS = 5_000;

const sample = (name: string, value: number, labels: Record<string, string> = {}): Sample => ({
  name,
  labels,
  value,
});

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

type FileSystem = Pick<Systeminformation.FsSizeData, 'mount' | 'used' | 'available'>;
type Network = Pick<Systeminformation.NetworkStatsData, 'iface' | 'rx_bytes' | 'tx_bytes'>;

/** The file system with the longest mount point that holds the path. */
export function fileSystemOf<T extends { readonly mount: string }>(
  path: string,
  all: readonly T[],
): T | undefined {
  const holds = ({ mount }: T): boolean =>
    path === mount || path.startsWith(mount.endsWith(sep) ? mount : mount + sep);
  return all.filter(holds).sort((a, b) => b.mount.length - a.mount.length)[0];
}

export function slowSamples(
  dataDir: string,
  fileSystems: readonly FileSystem[],
  networks: readonly Network[],
): Sample[] {
  const samples: Sample[] = [];
  const disk = fileSystemOf(resolve(dataDir), fileSystems);
  if (disk !== undefined) {
    samples.push(
      sample('pos_host_filesystem_bytes', disk.used, { state: 'used' }),
      sample('pos_host_filesystem_bytes', disk.available, { state: 'available' }),
    );
  }
  const wires = networks.filter(({ iface }) => iface !== 'lo');
  const sum = (of: (network: Network) => number): number =>
    wires.reduce((total, network) => total + of(network), 0);
  if (wires.length > 0) {
    samples.push(
      sample(
        'pos_host_network_bytes_total',
        sum((n) => n.rx_bytes),
        { direction: 'received' },
      ),
      sample(
        'pos_host_network_bytes_total',
        sum((n) => n.tx_bytes),
        { direction: 'sent' },
      ),
    );
  }
  return samples;
}

/**
 * Only the parts that are read: the whole is 210 kB of source more, kept in memory for facts about graphics,
 * Bluetooth and printers. The parts have no types of their own; those of the whole hold.
 */
const loadMemory = async (): Promise<{ mem: typeof mem }> =>
  // @ts-expect-error: no types
  (await import('systeminformation/lib/memory.js')).default;

async function loadSlow(): Promise<{ fsSize: typeof fsSize; networkStats: typeof networkStats }> {
  // @ts-expect-error: no types
  const files = await import('systeminformation/lib/filesystem.js');
  // @ts-expect-error: no types
  const networks = await import('systeminformation/lib/network.js');
  return { ...files.default, ...networks.default };
}

const finite = (samples: readonly Sample[]): Sample[] =>
  samples.filter(({ value }) => Number.isFinite(value));

/** A reader that never rejects: what cannot be read is left out and said once. */
export function createHostReader(
  options: { dataDir: string },
  ports: { clock: Clock; timers: Timers; log: Log },
): HostReader {
  const { clock, timers, log } = ports;
  let slow: readonly Sample[] = [];
  let slowAtMs = -Infinity;
  let spent: Spent = { busyMs: 0, allMs: 0 };
  let reading = false;
  let said = false;
  const complain = (error: unknown): void => {
    if (!said) log.warn('host facts cannot be read', { reason: String(error) });
    said = true;
  };

  const readSlow = async (): Promise<void> => {
    if (reading || clock.monotonicMs() - slowAtMs < SLOW_EVERY_MS) return;
    reading = true;
    slowAtMs = clock.monotonicMs();
    const read = loadSlow()
      .then(({ fsSize, networkStats }) => Promise.all([fsSize(), networkStats()]))
      .then(([disks, networks]) => {
        slow = slowSamples(options.dataDir, disks, networks);
      })
      .catch(complain)
      .finally(() => {
        reading = false;
      });
    await new Promise<void>((done) => {
      const cancel = timers.after(SLOW_TIMEOUT_MS, done);
      void read.then(() => {
        cancel();
        done();
      });
    });
  };

  return async () => {
    try {
      await readSlow();
      const { mem } = await loadMemory();
      const memory = await mem();
      const before = spent;
      spent = spentOf(cpus());
      return finite([
        sample('pos_host_cpu_ratio', busyRatio(before, spent)),
        sample('pos_host_load1', loadavg()[0] ?? 0),
        sample('pos_host_memory_bytes', memory.total - memory.available, { state: 'used' }),
        sample('pos_host_memory_bytes', memory.available, { state: 'available' }),
        sample('pos_host_uptime_seconds', Math.round(uptime())),
        ...slow,
      ]);
    } catch (error) {
      complain(error);
      return slow;
    }
  };
}
