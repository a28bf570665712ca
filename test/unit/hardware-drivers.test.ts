// What devices send and get, byte by byte: the drivers' readers, the emulators' commands, the configuration.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDevices } from '../../terminal/hardware/config.ts';
import { encodeLines } from '../../terminal/hardware/drivers/display.ts';
import { createReader } from '../../terminal/hardware/drivers/escpos-reader.ts';
import { mettler8217, nciScp01 } from '../../terminal/hardware/drivers/scale-protocols.ts';
import { frameReader } from '../../terminal/hardware/drivers/scanner.ts';
import { commandBytes, realTimeBytes } from '../../terminal/hardware/emulators/escpos-commands.ts';
import { failureOf, fenceName, isNamedFence, namedFence } from '../../terminal/hardware/escpos.ts';

const kinds = (...bytes: number[]): string[] =>
  createReader()
    .push(Uint8Array.from(bytes))
    .map(({ kind }) => kind);

describe('what a receipt printer sends', () => {
  it('is told apart by its fixed bits, also in pieces and with flow control in between', () => {
    const stream = [0x12, 0x14, 0x11, 0x00, 0x13, 0x03, 0x0f, 0x00, 0x37, 0x25, 0x00, 0x1e];
    const wanted = ['status', 'automatic', 'fence', 'block', 'status'];
    expect(kinds(...stream)).toEqual(wanted);
    const reader = createReader();
    const pieces = stream.flatMap((byte) => reader.push(Uint8Array.of(byte)));
    expect(pieces.map(({ kind }) => kind)).toEqual(wanted);
    expect(kinds(0x10, 0x12, 0x00, 0x00, 0x0f)).toEqual(['status', 'automatic']);
  });

  it('is garbage when it comes at another speed', () => {
    expect(kinds(0xf8, 0x80, 0xff)).toEqual(['garbage', 'garbage', 'garbage']);
  });

  it('never makes the reader throw or hold more than a block', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(createReader().push(bytes).length).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });

  it('names its failure, and a named fence is answered by its own name only', () => {
    expect(failureOf(0x12)).toBeUndefined();
    expect([0x1a, 0x16, 0x32, 0x52].map(failureOf)).toEqual([
      ...['cutter', 'mechanical', 'broken', 'hot'],
    ]);
    expect(namedFence(fenceName(7))).toHaveLength(11);
    expect(isNamedFence(Buffer.from('7"0007\0'), fenceName(10_007))).toBe(true);
    expect(isNamedFence(Buffer.from('7"0008\0'), fenceName(7))).toBe(false);
  });
});

describe('a pretend printer', () => {
  it('knows how long a command is', () => {
    const length = (...bytes: number[]): number => commandBytes(bytes);
    expect(length(0x41)).toBe(1);
    expect(length(0x1b, 0x40, 0x1b)).toBe(2);
    expect(length(0x1d, 0x56, 0x42)).toBe(4);
    expect(length(0x1d, 0x56, 0x00)).toBe(3);
    expect(length(0x1d, 0x76, 0x30, 0, 2, 0, 3, 0)).toBe(8 + 6);
    expect(length(0x1d, 0x28, 0x6b, 4, 0)).toBe(9);
    expect(length(0x1d, 0x6b, 73, 5)).toBe(9);
    expect(realTimeBytes([0x10, 0x04])).toBe(3);
    expect(realTimeBytes([0x10, 0x14, 8])).toBe(10);
    expect(realTimeBytes([0x41])).toBe(0);
  });
});

describe('a scanner', () => {
  const texts = (settings: object, ...chunks: string[]): string[] => {
    const reader = frameReader(settings, () => undefined);
    return chunks
      .flatMap((chunk) => reader.push(Buffer.from(chunk, 'latin1')))
      .map((frame) => (frame.kind === 'scan' ? frame.data : 'BAD'));
  };
  it('is framed by its suffix, whatever stands around the code and however it is cut', () => {
    expect(texts({}, '40063', '81333931\r400')).toEqual(['4006381333931']);
    expect(texts({ suffix: '\r\n' }, 'a\r\nb\r\n')).toEqual(['a', 'b']);
    expect(texts({}, 'a\r\nb\r\n')).toEqual(['a', 'b']);
    expect(texts({ prefix: ']C1' }, '\x02]C1011234\x1d10AB\x03\r')).toEqual(['011234\x1d10AB']);
  });
  it('is not understood when bytes come that no code has, or no suffix for ever', () => {
    expect(texts({}, '\xe5\xf1\x80\r')).toEqual(['BAD']);
    expect(texts({}, 'x'.repeat(5_000))).toEqual(['BAD']);
  });
});

describe('a scale', () => {
  const read = (protocol: ReturnType<typeof nciScp01>, text: string) =>
    protocol.reader().push(Buffer.from(text, 'latin1'));
  it('of Mettler-Toledo tells grams or why not', () => {
    expect(read(mettler8217(), '\x0201.234\r')).toEqual([{ kind: 'weight', grams: 1_234 }]);
    expect(read(mettler8217(), '\x02 0.500N\r')).toEqual([{ kind: 'weight', grams: 500 }]);
    expect(read(mettler8217('lb'), '\x0201.00\r')).toEqual([{ kind: 'weight', grams: 453.592 }]);
    const kindsOf = [1, 2, 4, 0x40].map(
      (bits) => read(mettler8217(), `\x02?${String.fromCharCode(bits)}\r`)[0]?.kind,
    );
    expect(kindsOf).toEqual(['unstable', 'overweight', 'under_zero', 'garbage']);
    // Parity in the top bit, as on a line of eight bits.
    expect(read(mettler8217(), '\x82\xb0\xb1\xae\xb2\x8d')[0]).toEqual({
      kind: 'weight',
      grams: 1_200,
    });
  });
  it('of the NCI family tells grams or why not', () => {
    expect(read(nciScp01(), '\n   1.250KG\r\n00\r\x03')).toEqual([
      { kind: 'weight', grams: 1_250 },
    ]);
    expect(read(nciScp01(), '\n   1.250KG\r\n10\r\x03')).toEqual([{ kind: 'unstable' }]);
    expect(read(nciScp01(), '\n02\r\x03')).toEqual([{ kind: 'overweight' }]);
    expect(read(nciScp01(), '\n01\r\x03')).toEqual([{ kind: 'under_zero' }]);
    expect(read(nciScp01(), '\n08\r\x03')[0]?.kind).toBe('broken');
    expect(read(nciScp01(), '\n?\r\x03')).toEqual([{ kind: 'garbage' }]);
  });
});

describe('a customer display', () => {
  it('gets two lines of twenty plain characters', () => {
    const bytes = encodeLines(['Käse', 'x'.repeat(30)]).toString('latin1');
    expect(bytes).toBe(`\x18\x1bQAKase${' '.repeat(16)}\r\x18\x1bQB${'x'.repeat(20)}\r`);
  });
});

describe('the configuration of devices', () => {
  const read = (given: unknown) =>
    readDevices({
      POS_DEVICES: typeof given === 'string' ? given : JSON.stringify(given),
      POS_PRINTER_HOST: '127.0.0.1',
      POS_PRINTER_PORT: 9_100,
    });
  const printer = {
    ...{ name: 'printer', class: 'POSPrinter' },
    transport: { kind: 'tcp', host: '127.0.0.1', port: 9_100 },
  };
  it('is one printer over TCP when nothing is said', async () => {
    const read1 = await read('');
    expect(read1).toMatchObject({ ok: true, value: [printer] });
  });
  it('tells all problems at once, each with its path and a sentence', async () => {
    const scale = {
      ...{ name: 'S', class: 'Scale', driver: 'oracle' },
      transport: { kind: 'serial', path: 'ttyUSB0', baud: 0 },
    };
    const refused = await read([scale]);
    expect(refused.ok ? '' : refused.reason.split('; ')).toEqual([
      'POS_DEVICES.0.name: use 1 to 32 of a-z, 0-9 and "-", beginning with a letter',
      'POS_DEVICES.0.driver: use mettler-8217 or nci',
      'POS_DEVICES.0.transport.path: give the whole path of the device',
      'POS_DEVICES.0.transport.baud: use at least 110',
    ]);
    const file = await read('/nowhere/devices.yaml');
    expect(file.ok ? '' : file.reason).toMatch(/^POS_DEVICES: give JSON, or the path of a YAML/);
  });
  it('has one port for one process, and a drawer on its printer', async () => {
    const drawer = {
      ...{ name: 'drawer', class: 'CashDrawer' },
      transport: { kind: 'device', name: 'printer' },
    };
    expect((await read([printer, drawer])).ok).toBe(true);
    expect((await read([drawer])).ok).toBe(false);
    const two = await read([printer, { ...printer, name: 'other' }]);
    expect(two.ok ? '' : two.reason).toMatch(
      /^POS_DEVICES\.1\.transport: one process has one port/,
    );
  });
});
