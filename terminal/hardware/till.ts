// Builds the configured devices: which driver above which transport, and what each of them adds to the
// component's metrics. It is the only place that knows all drivers.

import type { Log } from '../shared/log.ts';
import type { Point } from '../shared/metrics.ts';
import type { ConfigOf, DeviceConfig } from './config.ts';
import type { Device, Driver, Trouble } from './device/device.ts';
import { Keeper } from './device/keeper.ts';
import { DisplayDriver } from './drivers/display.ts';
import { Drawer } from './drivers/drawer.ts';
import { PrinterDriver } from './drivers/printer.ts';
import { ScaleDriver } from './drivers/scale.ts';
import { mettler8217, nciScp01 } from './drivers/scale-protocols.ts';
import { ScannerDriver } from './drivers/scanner.ts';
import type { PrintQueue } from './queue.ts';
import type { Transport } from './transports/port.ts';
import { serialTransport } from './transports/serial.ts';
import { tcpTransport } from './transports/tcp.ts';

/** Wall clock for records and times to live, monotonic for durations. */
export type Clock = { readonly wallMs: () => number; readonly monotonicMs: () => number };

export type Built =
  | { readonly class: 'POSPrinter'; readonly device: Device; readonly driver: PrinterDriver }
  | { readonly class: 'CashDrawer'; readonly device: Drawer }
  | { readonly class: 'Scanner'; readonly device: Device; readonly driver: ScannerDriver }
  | { readonly class: 'Scale'; readonly device: Device; readonly driver: ScaleDriver }
  | { readonly class: 'LineDisplay'; readonly device: Device; readonly driver: DisplayDriver };

export type Ground = {
  readonly log: Log;
  readonly clock: Clock;
  /** Opened only for a printer. */
  readonly queue: () => PrintQueue;
  readonly onTrouble: (trouble: Trouble | undefined) => void;
  readonly onRestart: (reason: string) => void;
};

function transportOf(
  settings: Exclude<DeviceConfig, { class: 'CashDrawer' }>['transport'],
): Transport {
  if (settings.kind === 'tcp') return tcpTransport(settings);
  const { baud } = settings;
  return serialTransport({ ...settings, bauds: typeof baud === 'number' ? [baud] : baud });
}

function build(config: DeviceConfig, ground: Ground, earlier: readonly Built[]): Built {
  const { clock, log, onTrouble, onRestart } = ground;
  if (config.class === 'CashDrawer')
    return { class: 'CashDrawer', device: drawer(config, earlier) };
  const keep = <M>(driver: Driver<M>): Device =>
    new Keeper({
      name: config.name,
      driver,
      transport: transportOf(config.transport),
      log,
      nowMs: clock.monotonicMs,
      onTrouble,
      onRestart,
    });
  switch (config.class) {
    case 'POSPrinter': {
      const driver = new PrinterDriver(ground.queue(), clock.wallMs, config);
      const device = keep(driver);
      driver.onChange(() => device.wake());
      return { class: 'POSPrinter', driver, device };
    }
    case 'Scanner': {
      const driver = new ScannerDriver(config, clock.wallMs, () => device.wake());
      const device = keep(driver);
      return { class: 'Scanner', driver, device };
    }
    case 'Scale': {
      const protocol = config.driver === 'nci' ? nciScp01() : mettler8217(config.unit);
      const driver = new ScaleDriver(protocol, clock.monotonicMs);
      return { class: 'Scale', driver, device: keep(driver) };
    }
    case 'LineDisplay': {
      const driver = new DisplayDriver();
      return { class: 'LineDisplay', driver, device: keep(driver) };
    }
  }
}

function drawer(config: ConfigOf<'CashDrawer'>, earlier: readonly Built[]): Drawer {
  const printer = earlier.find((one) => one.class === 'POSPrinter');
  if (printer === undefined)
    throw new Error('the configuration was checked: a printer comes first');
  const { name, ...settings } = config;
  return new Drawer({
    name,
    settings,
    printer: printer.device,
    printerFacts: printer.driver.facts,
    send: printer.driver.send,
  });
}

export function buildAll(configs: readonly DeviceConfig[], ground: Ground): Built[] {
  const built: Built[] = [];
  for (const config of configs) built.push(build(config, ground, built));
  return built;
}

type Extra = Partial<
  Record<
    | 'pos_printer_paper'
    | 'pos_printer_cover_open'
    | 'pos_device_info'
    | 'pos_print_jobs_total'
    | 'pos_drawer_open'
    | 'pos_scanner_good_scan_total'
    | 'pos_scale_unstable_seconds_total',
    readonly Point[]
  >
>;
const bit = (value: boolean | undefined, labels: Record<string, string>): readonly Point[] =>
  value === undefined ? [] : [{ labels, value: value ? 1 : 0 }];

/** What only this class of device has to tell. */
export function extraPoints(built: Built, version: string): Extra {
  const labels = { device: built.device.name };
  switch (built.class) {
    case 'POSPrinter': {
      const { paper, coverOpen } = built.driver.facts();
      const { model = '', firmware = '' } = built.driver.identity();
      const known = paper !== undefined;
      return {
        pos_device_info:
          model === '' && firmware === ''
            ? []
            : [
                {
                  labels: {
                    ...labels,
                    model: model || 'unknown',
                    firmware: firmware || 'unknown',
                  },
                  value: 1,
                },
              ],
        pos_printer_paper: ['near_end', 'end'].flatMap((state) =>
          bit(known ? paper === state : undefined, { ...labels, state }),
        ),
        pos_printer_cover_open: bit(coverOpen, labels),
        pos_print_jobs_total: [...built.driver.results()].map(([result, value]) => ({
          labels: { ...labels, result, version },
          value,
        })),
      };
    }
    case 'CashDrawer':
      return { pos_drawer_open: bit(built.device.isOpen(), labels) };
    case 'Scanner':
      return { pos_scanner_good_scan_total: [{ labels, value: built.driver.goodScans() }] };
    case 'Scale':
      return {
        pos_scale_unstable_seconds_total: [{ labels, value: built.driver.unstableSeconds() }],
      };
    case 'LineDisplay':
      return {};
  }
}
