// The hardware component as a real process against an emulated receipt printer that runs out of paper,
// is opened, falls silent and loses its cable.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PrinterEmulator } from '../../terminal/hardware/emulators/index.ts';
import { type Program, Rig, until } from '../real/terminal-rig.ts';

let rig: Rig;
let printer: PrinterEmulator;
let port: number;
let program: Program;
const env = () => ({ POS_PRINTER_PORT: String(port), POS_LOG_LEVEL: 'info' });

beforeEach(async () => {
  rig = new Rig();
  printer = new PrinterEmulator();
  port = await printer.listen();
  program = await rig.start('hardware', env());
});
afterEach(async () => {
  await rig.close();
  await printer.close();
});

const print = (id: string, text: string, ttlMs = 30_000) =>
  rig.ask('hardware', 'POST', '/print', { id, text, ttlMs });
const stateOf = async (id: string): Promise<unknown> =>
  (await rig.ask('hardware', 'GET', `/jobs/${id}`))?.json['state'];
const becomes = (id: string, state: string): Promise<true> =>
  until(`job ${id} to be ${state}`, async () => ((await stateOf(id)) === state ? true : undefined));
const healthIs = (word: string): Promise<true> =>
  until(`the printer to be ${word}`, async () =>
    (await rig.ask('hardware', 'GET', '/healthz'))?.json['printer'] === word ? true : undefined,
  );
const errors = (code: string) =>
  rig.metric('hardware', `pos_device_errors_total{device="printer",code="${code}",version="dev"}`);

describe('hardware with one receipt printer', () => {
  it('prints a job once, however often it is handed over', async () => {
    expect((await print('a', 'Käse €2\u001b@\nDanke'))?.status).toBe(202);
    await becomes('a', 'done');
    expect(await print('a', 'Käse €2')).toMatchObject({ status: 200, json: { state: 'done' } });
    expect(printer.receipts).toEqual(['Kase ?2@\nDanke\n']);
    const jobs = 'pos_print_jobs_total{device="printer",result="done",version="dev"}';
    expect(await rig.metric('hardware', jobs)).toBe(1);
    const info = 'pos_device_info{device="printer",model="TM-T88V",firmware="1.04 ESC/POS"}';
    expect(await rig.metric('hardware', info)).toBe(1);
    expect(program.output()).not.toContain('Danke');
  });

  it('holds the queue while the paper is at its end or the cover open, and goes on by itself', async () => {
    printer.setPaper('end');
    await print('a', 'first');
    await print('b', 'second');
    await healthIs('EPTR_REC_EMPTY');
    expect(await rig.metric('hardware', 'pos_print_queue_depth{device="printer"}')).toBe(2);
    expect(await rig.metric('hardware', 'pos_device_state{device="printer",state="ERROR"}')).toBe(
      1,
    );
    printer.setCover('open');
    printer.setPaper('near_end');
    await healthIs('EPTR_COVER_OPEN');
    expect(printer.receipts).toEqual([]);
    printer.setCover('closed');
    await becomes('b', 'done');
    expect(printer.receipts).toEqual(['first\n', 'second\n']);
    expect(await errors('EPTR_REC_EMPTY')).toBe(1);
    expect(await errors('EPTR_COVER_OPEN')).toBe(1);
  });

  it('waits for a human when the paper ends in the middle of a receipt', async () => {
    printer.endPaperAfter(2);
    await print('long', 'one\ntwo\nthree\nfour');
    await healthIs('EPTR_REC_EMPTY');
    expect(await stateOf('long')).toBe('printing');
    printer.setPaper('full');
    await becomes('long', 'done');
    expect(printer.receipts).toEqual(['one\ntwo\nthree\nfour\n']);
  });

  it('gives up a job whose time is over and never prints it', async () => {
    printer.setPaper('end');
    await healthIs('EPTR_REC_EMPTY');
    await print('old', 'too late', 300);
    await becomes('old', 'failed');
    printer.setPaper('full');
    await print('new', 'in time');
    await becomes('new', 'done');
    expect(printer.receipts).toEqual(['in time\n']);
  });

  it('finds the printer again after a pulled cable and after silence', async () => {
    await print('a', 'before');
    await becomes('a', 'done');
    printer.dropConnections();
    await print('b', 'after the cable');
    await becomes('b', 'done');
    printer.setSilent(true);
    await healthIs('E_TIMEOUT');
    printer.setSilent(false);
    await print('c', 'after the silence');
    await becomes('c', 'done');
    await printer.close();
    await healthIs('E_NOHARDWARE');
    printer = new PrinterEmulator();
    await printer.listen(port);
    await print('d', 'another printer');
    await becomes('d', 'done');
    expect(printer.receipts).toEqual(['another printer\n']);
    const reopened = 'pos_device_reopen_total{device="printer"}';
    expect(await rig.metric('hardware', reopened)).toBeGreaterThanOrEqual(2);
  });

  it('does not print again what it was printing when it was killed', async () => {
    printer.endPaperAfter(1);
    await print('a', 'one\ntwo');
    await becomes('a', 'printing');
    await print('b', 'next');
    await rig.kill(program);
    program = await rig.start('hardware', env());
    expect(await stateOf('a')).toBe('unknown');
    printer.setPaper('full');
    await becomes('b', 'done');
    expect(await stateOf('a')).toBe('unknown');
    expect(printer.receipts.filter((text) => text.includes('two'))).toHaveLength(1);
  });

  it('gets a receipt from the sale, which does not wait for it', async () => {
    await rig.start('sale');
    const added = await rig.ask('sale', 'POST', '/basket/items', { sku: '2000000000015' });
    const amountMinor = Number(added?.json['totalMinor']) + 21;
    printer.setPaper('end');
    await rig.ask('sale', 'POST', '/basket/tender', { kind: 'cash', amountMinor });
    const sale = await rig.ask('sale', 'POST', '/basket/complete');
    expect(sale?.status).toBe(200);
    expect(await rig.metric('sale', 'pos_receipts_pending')).toBe(1);
    printer.setPaper('full');
    await until('the receipt', async () =>
      (await rig.metric('sale', 'pos_receipts_pending')) === 0 ? true : undefined,
    );
    expect(printer.receipts[0]).toContain(`Sale ${sale?.json['id']}`);
    expect(printer.receipts[0]).toMatch(/Change +0\.21/);
  });
});
