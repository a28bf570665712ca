// How a receipt printer and its line fail (research/pos.md 1.4), row by row: the fault, what the component
// makes of it - state, error code, metric - and how it gets out of it, over TCP and over a serial line.

import { spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PrinterEmulator } from '../../terminal/hardware/emulators/index.ts';
import { Bench, overEachWire, overPty } from '../real/hardware-rig.ts';
import { type Json, until } from '../real/terminal-rig.ts';

let bench: Bench<PrinterEmulator>;
const QUICK = { statusMs: 300, fenceMs: 1_500 };
const printer = (): PrinterEmulator => bench.emulator;
const device = (serial: Json = {}): Json => ({
  ...{ name: 'printer', class: 'POSPrinter', ...QUICK },
  transport: bench.transport(serial),
});
const drawer = {
  ...{ name: 'drawer', class: 'CashDrawer' },
  transport: { kind: 'device', name: 'printer' },
};

async function set(wire: 'tcp' | 'pty', emulator = new PrinterEmulator()): Promise<void> {
  bench = new Bench(wire, emulator);
  await bench.prepare();
}
const print = (id: string, text: string, ttlMs = 30_000) =>
  bench.ask('POST', '/print', { id, text, ttlMs });
const job = async (id: string): Promise<Json> =>
  (await bench.ask('GET', `/jobs/${id}`))?.json ?? {};
const ends = (id: string, state: string): Promise<true> =>
  until(`job ${id} to be ${state}`, async () =>
    (await job(id))['state'] === state ? true : undefined,
  );
const shows = (facts: Json): Promise<Json> => bench.becomes('printer', facts);
const well = () => shows({ state: 'IDLE', power: 'ONLINE' });
const gauge = (name: string, labels = ''): Promise<number | undefined> =>
  bench.metric(`${name}{device="printer"${labels}}`);
const errors = (code: string) => gauge('pos_device_errors_total', `,code="${code}",version="dev"`);
afterEach(() => bench.close());

overEachWire('a receipt printer', (wire) => {
  beforeEach(() => set(wire));

  it('that drops off and comes back is opened again and prints', async () => {
    await bench.start([device()]);
    await well();
    await bench.unplug();
    const gone = await shows({ state: 'ERROR', power: 'OFF_OFFLINE' });
    expect(gone).toMatchObject({ errorCode: 'E_NOHARDWARE', said: 'of the connection' });
    expect(await gauge('pos_device_power_state')).toBe(2_004);
    expect(await gauge('pos_device_communication_errors_total')).toBeGreaterThan(0);
    await bench.replug();
    await well();
    expect(await gauge('pos_device_reopen_total')).toBeGreaterThan(0);
    expect(await errors('E_NOHARDWARE')).toBe(1);
    await print('a', 'after');
    await ends('a', 'done');
    expect(printer().receipts).toEqual(['after\n']);
  });

  it('that is silent is asked again, reopened, and printed on without an answer in the end', async () => {
    await bench.start([device()]);
    await well();
    printer().setSilent(true);
    const silent = await shows({ errorCode: 'E_TIMEOUT' });
    expect(silent).toMatchObject({ state: 'ERROR', said: 'of the connection' });
    await print('a', 'blind');
    await ends('a', 'unknown');
    expect((await job('a'))['reason']).toContain('sent all the same');
    printer().setSilent(false);
    await well();
    // Once, and not counted as done by anybody.
    expect(printer().receipts.filter((text) => text.includes('blind')).length).toBeLessThan(2);
    await print('b', 'seen');
    await ends('b', 'done');
    expect(await errors('E_TIMEOUT')).toBe(1);
  });

  it('that dies under a job never counts as having printed it', async () => {
    await bench.start([device()]);
    await well();
    printer().endPaperAfter(1);
    await print('a', 'one\ntwo\nthree');
    await ends('a', 'printing');
    await shows({ errorCode: 'EPTR_REC_EMPTY' });
    printer().setSilent(true);
    await ends('a', 'unknown');
    expect(await gauge('pos_print_jobs_total', ',result="unknown",version="dev"')).toBe(1);
  });

  it('that runs low, runs out and is opened waits for a human and tells it', async () => {
    await bench.start([device()]);
    await well();
    printer().setPaper('near_end');
    await until('near end', async () =>
      (await gauge('pos_printer_paper', ',state="near_end"')) === 1 ? true : undefined,
    );
    expect((await bench.device('printer'))['state']).toBe('IDLE');
    printer().setPaper('end');
    const out = await shows({ errorCode: 'EPTR_REC_EMPTY' });
    expect(out).toMatchObject({ state: 'ERROR', power: 'OFFLINE', said: 'by the device' });
    expect(await gauge('pos_printer_paper', ',state="end"')).toBe(1);
    printer().setCover('open');
    await shows({ errorCode: 'EPTR_COVER_OPEN' });
    expect(await gauge('pos_printer_cover_open')).toBe(1);
    printer().setPaper('full');
    printer().setCover('closed');
    const again = await well();
    expect(again['statistics']).toMatchObject({ ReceiptCoverOpenCount: 1 });
    expect(await gauge('pos_device_reopen_total')).toBe(0);
    expect(bench.program?.output()).not.toContain('asking to be restarted');
  });

  it('that is refilled prints nothing whose time was over, not even the rest of it', async () => {
    await bench.start([device()]);
    await well();
    printer().endPaperAfter(1);
    await print('a', 'one\ntwo\nthree', 1_500);
    await ends('a', 'unknown');
    // One more look: what is left of the job is cleared before it.
    await bench.ask('POST', '/devices/printer/check', { level: 'INTERNAL' });
    printer().setPaper('full');
    await print('b', 'new');
    await ends('b', 'done');
    expect(printer().receipts).toEqual(['new\n']);
  });

  it('that hangs in the middle of an image is cleared and prints again', async () => {
    await bench.start([device()]);
    await well();
    printer().wedge();
    await print('a', 'swallowed');
    await ends('a', 'unknown');
    expect(await errors('E_FAILURE')).toBe(1);
    await well();
    await print('b', 'again');
    await ends('b', 'done');
    expect(printer().receipts).toEqual(['again\n']);
  });

  it('that hangs is found when the component starts, before a receipt disappears in it', async () => {
    printer().wedge();
    await bench.start([device()]);
    await shows({ errorCode: 'E_FAILURE', said: 'of the connection' });
    await print('a', 'kept');
    await ends('a', 'done');
    expect(printer().receipts).toEqual(['kept\n']);
  });

  it('with a jammed cutter is freed once, and a broken one is left to a human', async () => {
    await bench.start([device()]);
    await well();
    printer().setCutter('jammed');
    await until('the cutter to be freed', () =>
      printer().state().cutter === 'ok' ? true : undefined,
    );
    await well();
    printer().setCutter('broken');
    const broken = await shows({ errorCode: 'E_FAILURE' });
    expect(broken).toMatchObject({ said: 'by the device', state: 'ERROR' });
    expect(broken['statistics']).toMatchObject({ PrinterFaultCount: 2 });
    printer().setCutter('ok');
    await well();
  });

  it('that is too hot is waited for', async () => {
    await bench.start([device()]);
    await well();
    printer().setHot(true);
    expect((await shows({ errorCode: 'E_FAILURE' }))['text']).toContain('cools down by itself');
    printer().setHot(false);
    const cooled = await well();
    expect(cooled['statistics']).toMatchObject({ MaximumTempReachedCount: 1 });
  });

  it('gets a long job in pieces and whole', async () => {
    await bench.start([{ ...device(), fenceMs: 10_000 }]);
    await well();
    const text = Array.from({ length: 700 }, (_, line) => `line ${line} of a long receipt`).join(
      '\n',
    );
    await print('long', text);
    await ends('long', 'done');
    expect(printer().receipts).toEqual([`${text}\n`]);
  });

  it('opens its drawer, also without paper, and says when it did not open', async () => {
    await bench.start([device(), drawer]);
    await well();
    const open = () => bench.ask('POST', '/drawer/open');
    printer().setPaper('end');
    await shows({ errorCode: 'EPTR_REC_EMPTY' });
    expect(await open()).toMatchObject({ status: 200, json: { open: true } });
    expect(await bench.metric('pos_drawer_open{device="drawer"}')).toBe(1);
    printer().setPaper('full');
    printer().setDrawer('closed');
    printer().setDrawerStuck(true);
    await well();
    expect((await open())?.status).toBe(503);
    const stuck = await bench.becomes('drawer', { errorCode: 'E_FAILURE' });
    expect(stuck['statistics']).toEqual({ DrawerGoodOpenCount: 1, DrawerFailedOpenCount: 1 });
    expect(printer().kicks).toBe(2);
    expect(await bench.series()).toBeLessThanOrEqual(25);
  });

  it('answers a health check without side effects', async () => {
    await bench.start([device()]);
    await well();
    const check = (level: string) => bench.ask('POST', '/devices/printer/check', { level });
    expect((await check('INTERNAL'))?.json).toMatchObject({ ok: true, level: 'INTERNAL' });
    printer().setCover('open');
    expect((await check('INTERNAL'))?.json).toMatchObject({ ok: false });
    expect(printer().receipts).toEqual([]);
    expect((await check('INTERACTIVE'))?.status).toBe(422);
  });
});

overEachWire('a printer that does not know how to clear itself', (wire) => {
  it('is flushed out of an image instead', async () => {
    await set(wire, new PrinterEmulator({ clears: false }));
    printer().wedge();
    await bench.start([device()]);
    await print('a', 'through');
    await ends('a', 'done');
    expect(printer().receipts.at(-1)).toContain('through');
  });
});

overPty('the line of a receipt printer', () => {
  beforeEach(() => set('pty'));

  it('that is not read any more is given up in time and works again later', async () => {
    await bench.start([device()]);
    await well();
    bench.pty.setHung(true);
    await print('a', 'x'.repeat(30_000), 60_000);
    await shows({ errorCode: 'E_TIMEOUT' });
    await ends('a', 'unknown');
    bench.pty.setHung(false);
    await well();
    await print('b', 'after');
    await ends('b', 'done');
    expect(printer().receipts.at(-1)).toContain('after');
  });

  it('at another speed is not understood, and no restart is asked for', async () => {
    printer().setSpeed({ expected: 19_200, read: () => bench.pty.speed() });
    await bench.start([device()]);
    const garbled = await shows({ errorCode: 'E_NOSERVICE' });
    expect(garbled).toMatchObject({ state: 'ERROR', power: 'UNKNOWN', said: 'of the connection' });
    expect(await errors('E_NOSERVICE')).toBe(1);
  });

  it('finds its speed among the configured ones', async () => {
    printer().setSpeed({ expected: 19_200, read: () => bench.pty.speed() });
    await bench.start([device({ baud: [9_600, 115_200, 19_200] })]);
    await well();
    await print('a', 'understood');
    await ends('a', 'done');
    expect(await bench.pty.speed()).toBe(19_200);
  });

  it('that another program holds is named with who holds it, and taken when it is free', async () => {
    const source = `const { SerialPort } = require('serialport');
      new SerialPort({ path: process.argv[1], baudRate: 9600 }, () => console.log('held'));
      setInterval(() => undefined, 1000);`;
    const holder = spawn(process.execPath, ['-e', source, bench.path], { stdio: 'pipe' });
    try {
      await new Promise((done) => holder.stdout?.once('data', done));
      await bench.start([device()]);
      const claimed = await shows({ errorCode: 'E_CLAIMED' });
      expect(claimed['text']).toContain(`process ${holder.pid} holds`);
      expect(claimed).toMatchObject({ power: 'UNKNOWN', state: 'ERROR' });
    } finally {
      holder.kill('SIGKILL');
    }
    await well();
  });
});
