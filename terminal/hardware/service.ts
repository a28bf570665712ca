// Puts the hardware component together: its devices, opened, claimed and enabled; their metrics; and the
// routes by which the till uses them. The agent never opens a device itself; a port that hangs may take this
// process with it, and nothing else (research/pos.md 0.4).

import type { Registry } from 'prom-client';
import type { Context, Service } from '../shared/component.ts';
import { createRegistry, type Point, stateSet } from '../shared/metrics.ts';
import type { DeviceConfig } from './config.ts';
import type { Facts } from './device/device.ts';
import { DEVICE_STATES, POWER_STATES } from './device/upos.ts';
import { PrintQueue } from './queue.ts';
import { hardwareRoutes } from './routes.ts';
import { type Built, buildAll, type Clock, extraPoints } from './till.ts';

const BODY_BYTES_MAX = 64 * 1024;
/** A printer with a drawer has 18 series besides; a component has 25 in all. */
const ERROR_SERIES_MAX = 7;

/** The most frequent codes by name, the others together: a till has a budget of series. */
function errorPoints(all: readonly Facts[], version: string): Point[] {
  const points = all.flatMap(({ name, errors }) =>
    [...errors].map(([code, value]) => ({ labels: { device: name, code, version }, value })),
  );
  points.sort((one, other) => other.value - one.value);
  const rest = points.splice(
    points.length > ERROR_SERIES_MAX ? ERROR_SERIES_MAX - 1 : points.length,
  );
  if (rest.length === 0) return points;
  const value = rest.reduce((sum, point) => sum + point.value, 0);
  const device = all[0]?.name ?? '';
  return [...points, { labels: { device, code: 'other', version }, value }];
}

function createMetrics(
  built: readonly Built[],
  queue: PrintQueue | undefined,
  version: string,
): Registry {
  const facts = (): Facts[] => built.map(({ device }) => device.facts());
  /** A drawer has its printer's connection and nothing of its own to say about one. */
  const ported = (): Facts[] => facts().filter((one) => one.class !== 'CashDrawer');
  const one = (name: string, value: number): Point => ({ labels: { device: name }, value });
  const extra = (name: keyof ReturnType<typeof extraPoints>) => (): Point[] =>
    built.flatMap((each) => extraPoints(each, version)[name] ?? []);
  const printer = built.find((each) => each.class === 'POSPrinter');
  return createRegistry({
    pos_device_state: () =>
      ported().flatMap(({ name, state }) => stateSet(DEVICE_STATES, state, { device: name })),
    pos_device_power_state: () => facts().map((each) => one(each.name, POWER_STATES[each.power])),
    pos_device_errors_total: () => errorPoints(facts(), version),
    pos_device_reopen_total: () => ported().map((each) => one(each.name, each.reopened)),
    pos_device_communication_errors_total: () =>
      ported().map((each) => one(each.name, each.statistics.CommunicationErrorCount ?? 0)),
    pos_device_probe_seconds: () =>
      ported().flatMap(({ name, probeSeconds }) =>
        probeSeconds === undefined ? [] : [one(name, probeSeconds)],
      ),
    pos_print_queue_depth: () =>
      queue && printer ? [one(printer.device.name, queue.depth())] : [],
    pos_print_jobs_total: extra('pos_print_jobs_total'),
    pos_device_info: extra('pos_device_info'),
    pos_printer_paper: extra('pos_printer_paper'),
    pos_printer_cover_open: extra('pos_printer_cover_open'),
    pos_drawer_open: extra('pos_drawer_open'),
    pos_scanner_good_scan_total: extra('pos_scanner_good_scan_total'),
    pos_scale_unstable_seconds_total: extra('pos_scale_unstable_seconds_total'),
  });
}

/** The till's own start: every device is opened, claimed and enabled, in the order of the list. */
function enableAll(built: readonly Built[]): void {
  for (const { device } of built) {
    for (const call of [device.open, device.claim, device.enable]) {
      const called = call();
      if (!called.ok) throw new Error(`the ${device.name} cannot be enabled: ${called.code}`);
    }
  }
}

export function startHardware(
  context: Context,
  configs: readonly DeviceConfig[],
  clock: Clock,
): Service {
  const { log, channel, version, dataDir } = context;
  let queue: PrintQueue | undefined;
  const built = buildAll(configs, {
    log,
    clock,
    queue: () => {
      queue ??= new PrintQueue(dataDir, log, clock.wallMs());
      return queue;
    },
    onTrouble: (trouble) => channel.status(trouble?.text ?? 'all devices are well'),
    onRestart: (reason) => {
      log.error('asking to be restarted: nothing else helped', { reason });
      channel.trouble(reason);
    },
  });
  enableAll(built);
  const troubles = (): Facts[] => built.map(({ device }) => device.facts());
  return {
    registry: createMetrics(built, queue, version),
    routes: hardwareRoutes(built, queue, clock),
    bodyBytesMax: BODY_BYTES_MAX,
    health: () => {
      const each = troubles().map(({ name, trouble, state }) => [name, trouble?.code ?? state]);
      const isWell = troubles().every(({ trouble }) => trouble === undefined);
      return { status: isWell ? 'ok' : 'degraded', ...Object.fromEntries(each) };
    },
    reopen: async (name) => {
      const found = built.find(({ device }) => device.name === name);
      if (found === undefined) return { ok: false, reason: `no device is called ${name} here` };
      const { ok, text } = await found.device.reopen();
      return { ok, reason: text };
    },
    stop: async () => {
      for (const { device } of [...built].reverse()) await device.close();
      queue?.close();
    },
  };
}
