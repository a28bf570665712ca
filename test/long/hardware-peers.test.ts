// Judged by code that is not ours. Hosts: receiptio 2 (a status-aware ESC/POS host) and node-thermal-printer 4
// print to the emulated printer and read its states. Devices: emupos 0.4 (PyPI; a simulator of printers,
// scales and scanners at the level of bytes, with a parser of its own) reads what our drivers print and
// answers them. emupos is used where it is installed: on the path, or at EMUPOS; otherwise it is skipped.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PrinterEmulator } from '../../terminal/hardware/emulators/index.ts';
import { request } from '../../terminal/shared/request.ts';
import { type Json, Rig, until } from '../real/terminal-rig.ts';

// Both come without usable types of their own for this.
type Receiptio = { print: (markdown: string, options: string) => Promise<string> };
type ThermalPrinter = {
  println: (text: string) => void;
  bold: (on: boolean) => void;
  printQR: (text: string) => void;
  cut: () => void;
  execute: () => Promise<unknown>;
  getStatus: () => Promise<Buffer | undefined>;
  isPrinterConnected: () => Promise<boolean>;
};

/** receiptio always uses port 9100 of an address, so each printer gets an address of its own. */
const HOST = `127.0.0.${20 + (process.pid % 200)}`;

describe('the emulated printer, judged by receiptio', () => {
  let printer: PrinterEmulator;
  let host: Receiptio;
  beforeEach(async () => {
    printer = new PrinterEmulator();
    await printer.listen(9_100, HOST);
    host = (await import('receiptio')) as Receiptio;
  });
  afterEach(() => printer.close());
  const status = (query = ''): Promise<string> => host.print('', `-d ${HOST} -q ${query}`);
  const print = (): Promise<string> =>
    host.print('{width:10,*}\nItem | 2.00\n---\nTotal | 2.00', `-d ${HOST} -p escpos -c 32`);

  it('is online and prints', async () => {
    expect(await status()).toBe('online');
    expect(await print()).toBe('success');
    expect(printer.cuts).toBe(1);
    expect(printer.receipts[0]).toContain('Total');
    printer.setPaper('near_end');
    expect(await status()).toBe('online');
    expect(await print()).toBe('success');
  });

  it('is found by its own name when the host asks who it is', async () => {
    expect(await host.print('Hello', `-d ${HOST} -c 32`)).toBe('success');
    expect(printer.receipts[0]).toContain('Hello');
  });

  it('says that it is open, out of paper, jammed, or gone', async () => {
    printer.setCover('open');
    expect([await status(), await print()]).toEqual(['coveropen', 'coveropen']);
    printer.setCover('closed');
    printer.setPaper('end');
    expect([await status(), await print()]).toEqual(['paperempty', 'paperempty']);
    printer.setPaper('full');
    printer.setCutter('broken');
    expect(await status()).toBe('error');
    printer.setCutter('ok');
    expect(printer.receipts).toEqual([]);
    await printer.drop();
    expect(await status()).toBe('disconnect');
  });

  it('says how its drawer is', async () => {
    // The wiring in which pin 3 is high while the drawer is open is the second one of receiptio.
    expect(await status('drawer2')).toBe('drawerclosed');
    printer.setDrawer('open');
    expect(await status('drawer2')).toBe('draweropen');
    expect(await status('drawer')).toBe('drawerclosed');
    expect(await status()).toBe('online');
  });

  it('is freed by the NUL bytes of the host when it hangs in an image', async () => {
    printer.wedge();
    expect(await print()).toBe('success');
    expect(printer.receipts.at(-1)).toContain('Total');
  });
});

describe('the emulated printer, judged by node-thermal-printer', () => {
  let printer: PrinterEmulator;
  let host: ThermalPrinter;
  beforeEach(async () => {
    printer = new PrinterEmulator();
    const port = await printer.listen();
    const library = await import('node-thermal-printer');
    const { printer: Printer, types } = library.default as unknown as {
      printer: new (options: object) => ThermalPrinter;
      types: { EPSON: string };
    };
    host = new Printer({ type: types.EPSON, interface: `tcp://127.0.0.1:${port}` });
  });
  afterEach(() => printer.close());

  it('prints text between styles and a code of dots', async () => {
    expect(await host.isPrinterConnected()).toBe(true);
    host.bold(true);
    host.println('Hello');
    host.bold(false);
    host.printQR('https://example.org/a-receipt');
    host.println('Bye');
    host.cut();
    await host.execute();
    await until('the receipt', () => (printer.cuts === 1 ? true : undefined));
    // Neither a style nor the code leaves a letter behind.
    expect(printer.receipts[0]?.split('\n').filter((line) => line !== '')).toEqual([
      ...['Hello', 'Bye'],
    ]);
  });
});

const emupos = process.env['EMUPOS'] ?? 'emupos';
const hasEmupos = (): boolean => {
  try {
    execFileSync(emupos, ['--help'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });

const found = hasEmupos();
const title = found ? '' : ' (skipped: emupos is not installed)';
describe.skipIf(!found)(`our drivers, judged by emupos${title}`, () => {
  let rig: Rig;
  let simulator: ChildProcess;
  let api: string;
  let printerPort: number;
  const call = async (method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown) => {
    const asked = await request(api, { method, path: `/api/v1${path}`, body, timeoutMs: 5_000 });
    if (!asked.ok) throw new Error(asked.reason);
    expect(asked.value.status, asked.value.body).toBeLessThan(300);
    return asked.value.body;
  };
  const line = (name: string) => join(rig.dir, 'emupos', name);

  beforeAll(async () => {
    rig = new Rig();
    printerPort = await freePort();
    const apiPort = await freePort();
    api = `http://127.0.0.1:${apiPort}`;
    mkdirSync(rig.dir, { recursive: true });
    const serial = { serial: { pty: true } };
    const config = {
      schema: 1,
      api: { host: '127.0.0.1', port: apiPort },
      devices: [
        {
          ...{ id: 'front', type: 'printer', profile: 'epson-tm-t20iii', receipts_dir: rig.dir },
          connections: [{ tcp: { host: '127.0.0.1', port: printerPort } }],
        },
        { id: 'deli', type: 'scale', profile: 'toledo8217-15kg', connections: [serial] },
        { id: 'lane', type: 'scanner', mode: 'serial', suffix: 'enter', connections: [serial] },
      ],
    };
    const file = join(rig.dir, 'emupos.yaml');
    writeFileSync(file, JSON.stringify(config));
    let output = '';
    simulator = spawn(emupos, ['run', '--config', file], {
      env: { ...process.env, TMPDIR: rig.dir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [simulator.stdout, simulator.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    await until('emupos', async () => {
      if (simulator.exitCode !== null) throw new Error(output);
      const asked = await request(api, { method: 'GET', path: '/api/v1/health', timeoutMs: 500 });
      return asked.ok && asked.value.status === 200 ? true : undefined;
    });
  });
  afterAll(async () => {
    simulator.kill('SIGTERM');
    await rig.close();
  });

  const start = (device: Json) =>
    rig.start('hardware', { POS_DEVICES: JSON.stringify([device].flat()) });
  const becomes = (facts: Json): Promise<true> => {
    let last: unknown;
    return until(JSON.stringify(facts), async () => {
      const list = (await rig.ask('hardware', 'GET', '/devices'))?.json['devices'] as Json[];
      last = list?.[0];
      const isSo = Object.entries(facts).every(([key, value]) => list?.[0]?.[key] === value);
      return isSo ? (true as const) : undefined;
    }).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
  };

  it('print a receipt that its parser reads, and see its faults', async () => {
    const transport = { kind: 'tcp', host: '127.0.0.1', port: printerPort };
    const printer = { name: 'printer', class: 'POSPrinter', transport };
    const drawer = {
      ...{ name: 'drawer', class: 'CashDrawer' },
      transport: { kind: 'device', name: 'printer' },
    };
    const program = await rig.start('hardware', {
      POS_DEVICES: JSON.stringify([printer, drawer]),
    });
    await becomes({ state: 'IDLE', power: 'ONLINE' });
    const print = (id: string, text: string) =>
      rig.ask('hardware', 'POST', '/print', { id, text, ttlMs: 30_000 });
    const done = (id: string) =>
      until(`job ${id}`, async () =>
        (await rig.ask('hardware', 'GET', `/jobs/${id}`))?.json['state'] === 'done'
          ? true
          : undefined,
      );
    await print('a', 'Two teas    4.00\nTotal       4.00');
    await done('a');
    const text = await until('the receipt', async () => {
      const asked = await request(api, {
        ...{ method: 'GET', path: '/api/v1/devices/front/receipts/latest/text' },
        timeoutMs: 5_000,
      });
      return asked.ok && asked.value.status === 200 ? asked.value.body : undefined;
    });
    expect(text.split('\n').map((one) => one.trimEnd())).toEqual(
      expect.arrayContaining(['Two teas    4.00', 'Total       4.00']),
    );
    for (const [fault, code] of [
      ['paper-out', 'EPTR_REC_EMPTY'],
      ['cover-open', 'EPTR_COVER_OPEN'],
      ['offline', 'E_OFFLINE'],
    ]) {
      await call('PUT', `/devices/front/faults/${fault}`);
      await becomes({ errorCode: code, said: 'by the device' });
      await fetch(`${api}/api/v1/devices/front/faults/${fault}`, { method: 'DELETE' });
      await becomes({ state: 'IDLE' });
    }
    const opened = await rig.ask('hardware', 'POST', '/drawer/open');
    expect(opened).toMatchObject({ status: 200, json: { open: true } });
    await rig.kill(program);
  });

  it('weigh on its scale', async () => {
    const transport = { kind: 'serial', path: line('deli'), dataBits: 7, parity: 'even' };
    const scale = { name: 'scale', class: 'Scale', driver: 'mettler-8217', transport };
    const program = await start(scale);
    await call('PUT', '/devices/deli/weight', { grams: 1_250, stable: true });
    await becomes({ state: 'IDLE', power: 'ONLINE' });
    const weight = await until('a weight', async () => {
      const asked = await rig.ask('hardware', 'GET', '/weight');
      return asked?.status === 200 ? asked.json : undefined;
    });
    expect(weight).toEqual({ grams: 1_250 });
    await call('PUT', '/devices/deli/weight', { grams: 15_500, stable: true });
    await becomes({ errorCode: 'ESCAL_OVERWEIGHT', said: 'by the device' });
    await call('PUT', '/devices/deli/weight', { grams: 100, stable: false });
    await becomes({ state: 'IDLE' });
    // It comes to rest after a while, and our driver waits for that.
    const rested = await rig.ask('hardware', 'GET', '/weight');
    expect(rested).toMatchObject({ status: 200, json: { grams: 100 } });
    await rig.kill(program);
  });

  it('read its scanner', async () => {
    const transport = { kind: 'serial', path: line('lane') };
    const program = await start({ name: 'scanner', class: 'Scanner', transport });
    await becomes({ state: 'IDLE' });
    await until('a scan', async () => {
      await call('POST', '/devices/lane/scans', { data: '4006381333931', countdown_seconds: 0 });
      const scans = (await rig.ask('hardware', 'GET', '/scans'))?.json['scans'] as Json[];
      return scans?.some((scan) => scan['data'] === '4006381333931') ? true : undefined;
    });
    await rig.kill(program);
  });
});
