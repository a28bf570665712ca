// Scanner, scale and customer display with their faults (research/pos.md 1.3 and 7), over TCP and over a
// serial line; and the last rung of the ladder, a restart, which needs a device that was well for long.

import { afterEach, describe, expect, it } from 'vitest';
import { Keeper } from '../../terminal/hardware/device/keeper.ts';
import { ScaleDriver } from '../../terminal/hardware/drivers/scale.ts';
import { mettler8217 } from '../../terminal/hardware/drivers/scale-protocols.ts';
import {
  type Dialect,
  DisplayEmulator,
  ScaleEmulator,
  ScannerEmulator,
} from '../../terminal/hardware/emulators/index.ts';
import { tcpTransport } from '../../terminal/hardware/transports/tcp.ts';
import { silentLog } from '../../terminal/shared/log.ts';
import { Bench, overEachWire, overPty, type Wire } from '../real/hardware-rig.ts';
import { type Json, until } from '../real/terminal-rig.ts';

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

async function bench<E extends ScannerEmulator | ScaleEmulator | DisplayEmulator>(
  wire: Wire,
  emulator: E,
  device: Json,
  serial: Json = {},
): Promise<Bench<E>> {
  const made = new Bench(wire, emulator);
  close = () => made.close();
  await made.prepare();
  await made.start([{ ...device, transport: made.transport(serial) }]);
  return made;
}
const connected = (made: Bench<ScannerEmulator | ScaleEmulator | DisplayEmulator>): Promise<true> =>
  until('the device to be opened', async () => {
    // A pseudo-terminal is connected before anybody opens it: the component itself must say so.
    const { enabled, errorCode } = await made.device('it');
    const opened = made.program?.output().includes('"ready"') && enabled && !errorCode;
    return opened && made.emulator.hosts > 0 ? true : undefined;
  });

overEachWire('a scanner', (wire) => {
  const scanner = { name: 'it', class: 'Scanner' };
  const scans = async (made: Bench<ScannerEmulator>): Promise<string[]> => {
    const list = (await made.ask('GET', '/scans?after=0'))?.json['scans'] as Json[] | undefined;
    return (list ?? []).map((one) => String(one['data']));
  };
  /** Scans until the component has it: opening a line takes a moment. */
  const scanned = (made: Bench<ScannerEmulator>, code: string): Promise<true> =>
    until(`the scan ${code}`, async () => {
      if ((await scans(made)).includes(code)) return true;
      made.emulator.scan(code);
      return undefined;
    });

  it('is unknown until it reads something, hands over each code and is never logged', async () => {
    const made = await bench(wire, new ScannerEmulator(), scanner);
    await connected(made);
    expect(await made.device('it')).toMatchObject({ state: 'IDLE', power: 'UNKNOWN' });
    await scanned(made, '4006381333931');
    await made.becomes('it', { power: 'ONLINE' });
    const good = await made.metric('pos_scanner_good_scan_total{device="it"}');
    expect(good).toBeGreaterThan(0);
    const next = made.ask('GET', `/scans?after=${good}&waitMs=5000`);
    made.emulator.scan('96385074');
    expect((await next)?.json['scans']).toMatchObject([{ data: '96385074' }]);
    expect(made.program?.output()).not.toContain('96385074');
    expect(await made.series()).toBeLessThanOrEqual(25);
  });

  it('that is silent is no error: only its count stands still', async () => {
    const made = await bench(wire, new ScannerEmulator(), scanner);
    await scanned(made, '1');
    made.emulator.setSilent(true);
    const before = await made.metric('pos_scanner_good_scan_total{device="it"}');
    expect(made.emulator.scan('2')).toBe(0);
    expect(await made.device('it')).toMatchObject({ state: 'IDLE', errors: {} });
    expect(await made.metric('pos_scanner_good_scan_total{device="it"}')).toBe(before);
  });

  it('that drops off is missed at once and read again when it is back', async () => {
    const made = await bench(wire, new ScannerEmulator(), scanner);
    await scanned(made, '1');
    await made.unplug();
    const gone = await made.becomes('it', { errorCode: 'E_NOHARDWARE' });
    expect(gone).toMatchObject({ state: 'ERROR', power: 'OFF_OFFLINE' });
    await made.replug();
    await made.becomes('it', { state: 'IDLE' });
    await scanned(made, '2');
    expect(await made.metric('pos_device_reopen_total{device="it"}')).toBeGreaterThan(0);
  });

  it('whose bytes stop in the middle does not spoil the next code', async () => {
    const made = await bench(wire, new ScannerEmulator(), { ...scanner, gapMs: 50 });
    await scanned(made, '1');
    made.emulator.sendRaw(Buffer.from('40063'));
    await new Promise((done) => setTimeout(done, 200));
    await scanned(made, '96385074');
    expect(await scans(made)).not.toContain('4006396385074');
  });
});

overPty('a scanner', (wire) => {
  it('at another speed is not understood, and its other speed is found', async () => {
    const device = { name: 'it', class: 'Scanner' };
    const made = await bench(wire, new ScannerEmulator(), device, { baud: [9_600, 38_400] });
    made.emulator.setSpeed({ expected: 38_400, read: () => made.pty.speed() });
    const scan = setInterval(() => made.emulator.scan('4006381333931'), 150);
    try {
      await until('E_NOSERVICE', async () =>
        (await made.device('it'))['errorCode'] === 'E_NOSERVICE' ? true : undefined,
      );
      await made.becomes('it', { state: 'IDLE', power: 'ONLINE' });
    } finally {
      clearInterval(scan);
    }
    expect(await made.pty.speed()).toBe(38_400);
  });
});

for (const driver of ['mettler-8217', 'nci'] satisfies Dialect[]) {
  overEachWire(`a scale (${driver})`, (wire) => {
    const scale = { name: 'it', class: 'Scale', driver };
    const weigh = (made: Bench<ScaleEmulator>) => made.ask('GET', '/weight');

    it('weighs, counts the time it does not rest, and says what is wrong with the pan', async () => {
      const made = await bench(wire, new ScaleEmulator(driver), scale);
      const { emulator } = made;
      await made.becomes('it', { state: 'IDLE', power: 'ONLINE' });
      emulator.setWeight(1_250);
      expect(await weigh(made)).toMatchObject({ status: 200, json: { grams: 1_250 } });
      emulator.setPan('moving');
      expect((await weigh(made))?.status).toBe(409);
      const unstable = await made.metric('pos_scale_unstable_seconds_total{device="it"}');
      expect(unstable).toBeGreaterThan(0.5);
      expect(await made.device('it')).toMatchObject({ state: 'IDLE', errors: {} });
      const codes = {
        over: 'ESCAL_OVERWEIGHT',
        under: 'ESCAL_UNDER_ZERO',
        uncalibrated: 'E_FAILURE',
      };
      for (const [pan, code] of Object.entries(codes)) {
        emulator.setPan(pan as keyof typeof codes);
        await made.becomes('it', { errorCode: code, said: 'by the device', state: 'ERROR' });
      }
      emulator.setPan('stable');
      await made.becomes('it', { state: 'IDLE' });
      expect(await made.metric('pos_device_reopen_total{device="it"}')).toBe(0);
    });

    it('that falls silent is reopened and weighs again', async () => {
      const made = await bench(wire, new ScaleEmulator(driver), scale);
      await made.becomes('it', { power: 'ONLINE' });
      made.emulator.setSilent(true);
      await made.becomes('it', { errorCode: 'E_TIMEOUT', said: 'of the connection' });
      expect((await weigh(made))?.status).toBe(503);
      made.emulator.setSilent(false);
      await made.becomes('it', { state: 'IDLE', power: 'ONLINE' });
    });
  });
}

overPty('a scale', (wire) => {
  it('at another speed is not understood', async () => {
    const emulator = new ScaleEmulator();
    const made = await bench(wire, emulator, {
      name: 'it',
      class: 'Scale',
      driver: 'mettler-8217',
    });
    emulator.setSpeed({ expected: 4_800, read: () => made.pty.speed() });
    await made.becomes('it', { errorCode: 'E_NOSERVICE', power: 'UNKNOWN' });
  });
});

overEachWire('a customer display', (wire) => {
  it('shows the newest text, also after it was gone, and never says how it is', async () => {
    const made = await bench(wire, new DisplayEmulator(), { name: 'it', class: 'LineDisplay' });
    const { emulator } = made;
    await connected(made);
    const shows = (upper: string): Promise<true> =>
      until(`the display to show ${upper}`, () =>
        emulator.lines[0].trim() === upper ? true : undefined,
      );
    await made.ask('POST', '/display', { lines: ['Total', '2.00'] });
    await shows('Total');
    expect(emulator.lines[1].trim()).toBe('2.00');
    expect(await made.device('it')).toMatchObject({ state: 'IDLE', power: 'UNKNOWN' });
    await made.unplug();
    await made.becomes('it', { errorCode: 'E_NOHARDWARE' });
    emulator.lines = ['', ''];
    await made.replug();
    await shows('Total');
    const checked = await made.ask('POST', '/devices/it/check', { level: 'EXTERNAL' });
    expect(checked?.json).toMatchObject({ ok: true, level: 'EXTERNAL' });
    await shows('Test 12345678901234');
  });
});

describe('a device that answered for long and then nothing brings back', () => {
  it('has its process restarted, once', async () => {
    const emulator = new ScaleEmulator();
    const port = await emulator.listen();
    const restarts: string[] = [];
    // A hundred times as fast, so that it was well for long.
    const driver = new ScaleDriver(mettler8217(), () => performance.now() * 100);
    const keeper = new Keeper({
      ...{ name: 'scale', driver, log: silentLog, onTrouble: () => undefined },
      transport: tcpTransport({ host: '127.0.0.1', port }),
      nowMs: () => performance.now() * 100,
      onRestart: (reason) => restarts.push(reason),
    });
    close = async () => {
      await keeper.close();
      await emulator.close();
    };
    keeper.open();
    keeper.claim();
    keeper.enable();
    await until('the scale to be well for long', () =>
      (keeper.facts().statistics.GoodWeightReadCount ?? 0) > 2 ? true : undefined,
    );
    await keeper.checkHealth('INTERNAL');
    emulator.setSilent(true);
    await until('a restart', () => (restarts.length > 0 ? true : undefined), 40_000);
    expect(restarts).toEqual(['the scale does not answer']);
  });
});
