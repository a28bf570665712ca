import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findSensor, readCelsius } from '../../agent/system/machine.ts';
import {
  busyRatio,
  createHostReader,
  type HostPorts,
  spentOf,
} from '../../agent/telemetry/host.ts';
import { Growth, mountOf, parseMounts, parseOsName } from '../../agent/telemetry/host-facts.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';
import { fakeClock, quietLog } from './outbox-rig.ts';

const row = (name: string, ...numbers: number[]): string => `${name}: ${numbers.join(' ')}`;
const wire = (name: string, received: number, sent: number, errors = 0): string =>
  row(name, received, 9, errors, errors, 0, 0, 0, 0, sent, 9, errors, errors, 0, 0, 0, 0);
const NET = 'Inter-|   Receive |  Transmit\n face |bytes packets |bytes packets\n';
const disk = (name: string, read: number, written: number): string =>
  `   8       0 ${name} 1 2 ${read} 4 5 6 ${written} 8 9 10 11 0 0 0 0`;

type World = {
  readonly memory?: HostPorts['memoryOf'];
  readonly texts: Record<string, string>;
  readonly links: Record<string, string>;
  spaces: Record<string, { freeBytes: number; totalBytes: number; readOnly: boolean } | 'dead'>;
};
const till = (): World => ({
  texts: {
    '/proc/net/dev': `${NET}${wire('lo', 900, 900)}\n${wire('eth0', 100, 10, 1)}\n${wire('wlan0', 50, 5)}\n${wire('docker0', 70, 70)}\n`,
    '/proc/diskstats': [disk('sda', 10, 20), disk('sda1', 9, 19), disk('loop0', 7, 7)].join('\n'),
    '/proc/self/mounts': '/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /var/lib ext4 rw 0 0\n',
    '/proc/pressure/cpu': 'some avg10=25.00 avg60=1.00 avg300=0.00 total=5\n',
    '/etc/os-release': 'NAME="Till OS"\nPRETTY_NAME="Till OS 7"\n',
    '/sys/class/dmi/id/sys_vendor': 'ACME\n',
    '/sys/class/dmi/id/product_name': 'Lane 9\n',
  },
  links: {
    '/sys/class/net/eth0': '../../devices/pci0000:00/0000:00:03.0/net/eth0',
    '/sys/class/net/wlan0': '../../devices/platform/sdio/net/wlan0',
    '/sys/class/net/docker0': '../../devices/virtual/net/docker0',
    '/sys/block/sda': '../devices/pci0000:00/ata1/block/sda',
    '/sys/block/loop0': '../devices/virtual/block/loop0',
  },
  spaces: {
    '/': { freeBytes: 60, totalBytes: 100, readOnly: false },
    '/var/lib/tillwatch': { freeBytes: 1, totalBytes: 4, readOnly: true },
    '/var/lib/tillwatch/logs': { freeBytes: 1, totalBytes: 4, readOnly: true },
  },
});

function readerOf(world: World) {
  const waiting: (() => void)[] = [];
  const clock = fakeClock();
  const ports: HostPorts = {
    clock,
    timers: {
      after: (_ms, run) => {
        waiting.push(run);
        return () => undefined;
      },
      every: () => () => undefined,
    },
    log: quietLog(),
    files: {
      read: (path) => world.texts[path],
      reread: (path) => world.texts[path],
      readLink: (path) => world.links[path],
      isDirectory: () => true,
    },
    space: (folder) => {
      const space = world.spaces[folder];
      if (space === 'dead') return new Promise(() => undefined);
      return Promise.resolve(space && { ...space, device: 1 });
    },
    celsius: () => Promise.resolve(48.5),
    ...(world.memory && { memoryOf: world.memory }),
  };
  const folders = { dataDir: '/var/lib/tillwatch', logDir: '/var/lib/tillwatch/logs' };
  const read = createHostReader(folders, ports);
  const later = () => {
    clock.pass(60_000);
    return read();
  };
  return { read, later, waiting };
}
const value = (samples: readonly Sample[], name: string, label?: string) =>
  samples.find((s) => s.name === name && (!label || Object.values(s.labels).includes(label)))
    ?.value;

describe('the machine', () => {
  test('is told under every name of the catalogue, with exactly its labels', async () => {
    const samples = await readerOf(till()).read();
    for (const { name, labels } of samples) {
      if (!isMetricName(name)) throw new Error(name);
      expect(Object.keys(labels).toSorted(), name).toEqual(catalogue[name].labels.toSorted());
    }
    const names = new Set(samples.map(({ name }) => name));
    const expected = Object.keys(catalogue).filter((name) => name.startsWith('pos_host_'));
    expect(expected.filter((name) => !names.has(name))).toEqual([]);
    expect(samples.find(({ name }) => name === 'pos_host_info')?.labels).toMatchObject({
      os: 'Till OS 7',
      model: 'ACME Lane 9',
    });
    expect(value(samples, 'pos_host_temperature_celsius')).toBe(48.5);
    expect(value(samples, 'pos_host_pressure_ratio', 'cpu')).toBe(0.25);
  });

  test('has only the interfaces and disks that are things, not parts of others', async () => {
    const samples = await readerOf(till()).read();
    expect(value(samples, 'pos_host_network_bytes_total', 'received')).toBe(150);
    expect(value(samples, 'pos_host_network_errors_total', 'sent')).toBe(2);
    expect(value(samples, 'pos_host_disk_bytes_total', 'written')).toBe(20 * 512);
  });

  test('in a container is heard over the interface that there is', async () => {
    const world = till();
    for (const name of ['eth0', 'wlan0']) delete world.links[`/sys/class/net/${name}`];
    const samples = await readerOf(world).read();
    expect(value(samples, 'pos_host_network_bytes_total', 'received')).toBe(220);
  });

  test('loses an interface without losing its bytes', async () => {
    const world = till();
    const { read } = readerOf(world);
    await read();
    world.texts['/proc/net/dev'] = `${NET}${wire('eth0', 110, 10)}\n`;
    expect(value(await read(), 'pos_host_network_bytes_total', 'received')).toBe(160);
    world.texts['/proc/net/dev'] = `${NET}${wire('eth0', 110, 10)}\n${wire('wlan0', 4, 1)}\n`;
    expect(value(await read(), 'pos_host_network_bytes_total', 'received')).toBe(164);
  });

  test('has each file system that matters once, with who can write it', async () => {
    const samples = await readerOf(till()).read();
    const mounts = samples.filter(({ name }) => name === 'pos_host_filesystem_readonly');
    expect(mounts.map(({ labels, value: is }) => [labels['mount'], is])).toEqual([
      ['/', 0],
      ['/var/lib', 1],
    ]);
    expect(value(samples, 'pos_host_filesystem_free_ratio', '/var/lib')).toBe(0.25);
    expect(value(samples, 'pos_host_filesystem_bytes', 'available')).toBe(1);
  });

  test('is told without a disk that does not answer, which is not asked again meanwhile', async () => {
    const world = till();
    let asked = 0;
    world.spaces = new Proxy(world.spaces, {
      get: (spaces, folder: string) => {
        if (folder === '/') asked += 1;
        return folder === '/' && asked > 1 ? 'dead' : spaces[folder];
      },
    });
    const { read, later, waiting } = readerOf(world);
    expect(value(await read(), 'pos_host_filesystem_free_ratio', '/')).toBe(0.6);
    for (let round = 0; round < 3; round += 1) {
      const reading = later();
      await new Promise((done) => setTimeout(done, 20));
      for (const run of waiting.splice(0)) run();
      expect(value(await reading, 'pos_host_filesystem_free_ratio', '/')).toBe(0.6);
    }
    expect(asked).toBe(2);
  });

  test('is told without its memory where all threads wait for dead disks', async () => {
    const { read, waiting } = readerOf({ ...till(), memory: () => new Promise(() => undefined) });
    const reading = read();
    const release = setInterval(() => {
      for (const run of waiting.splice(0)) run();
    }, 5);
    const samples = await Promise.race([
      reading,
      new Promise<undefined>((done) => setTimeout(done, 1_000, undefined)),
    ]);
    clearInterval(release);
    expect(value(samples ?? [], 'pos_host_load1')).toBeDefined();
    expect(value(samples ?? [], 'pos_host_memory_bytes')).toBeUndefined();
  });
});

test('growth never falls, whatever is plugged in and out', () => {
  const growth = new Growth();
  let before = 0;
  for (const counts of [[5, 5], [9], [9, 1], [2, 1], [], [2, 8]]) {
    growth.add(new Map(counts.map((n, index) => [`eth${index}`, { received: n }])));
    const sum = growth.of('received') ?? Number.NaN;
    expect(sum).toBeGreaterThanOrEqual(before);
    before = sum;
  }
  expect(before).toBe(5 + 5 + 4 + 1 + 2 + 7);
});

test('a sensor of the processor is found where there is one, best first', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tw-host-'));
  const put = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  };
  try {
    expect(await findSensor(root)).toBeUndefined();
    put('class/thermal/thermal_zone0/type', 'acpitz');
    put('class/thermal/thermal_zone0/temp', '27800');
    expect(await readCelsius((await findSensor(root)) ?? '')).toBe(27.8);
    put('class/hwmon/hwmon0/name', 'nvme');
    put('class/hwmon/hwmon1/name', 'k10temp');
    put('class/hwmon/hwmon1/temp1_input', '61000');
    expect(await readCelsius((await findSensor(root)) ?? '')).toBe(61);
    put('class/hwmon/hwmon1/temp1_input', 'nonsense');
    expect(await readCelsius((await findSensor(root)) ?? '')).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});

describe('the file system of a folder', () => {
  const mounts = ['/', '/var', '/var/lib', '/var/library'];
  test.each([
    ['/var/lib/tillwatch', '/var/lib'],
    ['/var/lib', '/var/lib'],
    ['/var/libx', '/var'],
    ['/home', '/'],
  ])('%s is on %s', (path, mount) => {
    expect(mountOf(path, mounts)).toBe(mount);
  });
  test('may be unknown, and may have a blank in its name', () => {
    expect(mountOf('/home', ['/var'])).toBeUndefined();
    expect(parseMounts('/dev/sdb1 /media/my\\040stick vfat rw 0 0\n')).toEqual(['/media/my stick']);
  });
});

test('the system has the name that people call it by', () => {
  expect(parseOsName('NAME=Alpine\nID=alpine')).toBe('Alpine');
  expect(parseOsName(undefined)).toBeUndefined();
});

test('processor time in use is what was spent between two readings, over all cores', () => {
  const core = (user: number, sys: number, idle: number) => ({
    times: { user, nice: 0, sys, irq: 0, idle },
  });
  const before = spentOf([core(100, 50, 850), core(0, 0, 1_000)]);
  const now = spentOf([core(150, 100, 900), core(0, 0, 1_150)]);
  expect(busyRatio({ busyMs: 0, allMs: 0 }, before)).toBe(0.075);
  expect(busyRatio(before, now)).toBeCloseTo(100 / 300);
  // Asked twice within one tick: no number at all, which the reader leaves out.
  expect(busyRatio(now, now)).toBeNaN();
});
