// A device on a serial line, by node-serialport and around its traps (research/pos.md 0.3, 0.4): a new
// object for each opening, `destroyed` looked at besides `isOpen`, no drain() (it blocks a thread of the
// pool while flow control holds the line), our own limit on writes. The library is loaded only when such
// a device is configured: its native part costs a till memory.

import { readFileSync, statSync } from 'node:fs';
import { saying } from '../../shared/result.ts';
import { makePort, type Opened, type PortEvents, type Transport, WRITE_MS } from './port.ts';

export type SerialSettings = {
  /** Best one of /dev/serial/by-id: it stays the same when the adapter gets another number. */
  readonly path: string;
  /** Tried in turn until the device is understood. */
  readonly bauds: readonly number[];
  readonly dataBits?: 7 | 8;
  readonly parity?: 'none' | 'even' | 'odd';
  readonly stopBits?: 1 | 2;
  readonly flow?: 'none' | 'rtscts' | 'xon';
};

/** A variable, so that a bundle leaves the package where its native part is. */
const PACKAGE: string = 'serialport';
type Library = Pick<typeof import('serialport'), 'SerialPort'>;

/** @returns who has locked the device, as `proc_locks(5)` tells it; undefined when it does not. */
export function holderOf(path: string): number | undefined {
  try {
    const { dev, ino } = statSync(path);
    const hex = (number: number): string => number.toString(16).padStart(2, '0');
    // makedev(3): major and minor of the file system that holds the device's file.
    const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
    const file = `${hex((dev >> 8) & 0xfff)}:${hex(minor)}:${ino}`;
    const lines = readFileSync('/proc/locks', 'utf8').split('\n');
    const fields = lines.map((line) => line.trim().split(/ +/)).find((one) => one[5] === file);
    return fields === undefined ? undefined : Number(fields[4]);
  } catch {
    return undefined;
  }
}

function refusal(path: string, error: unknown): Opened {
  const reason = saying(error);
  if (!/cannot lock port/i.test(reason)) return { ok: false, fault: 'absent', reason };
  const holder = holderOf(path);
  const who = holder === undefined ? 'another program' : `process ${holder}`;
  return { ok: false, fault: 'claimed', reason: `${who} holds ${path}` };
}

export function serialTransport(settings: SerialSettings, writeMs = WRITE_MS): Transport {
  const { path, bauds, dataBits = 8, parity = 'none', stopBits = 1, flow = 'none' } = settings;
  const open = async (events: PortEvents, attempt: number): Promise<Opened> => {
    let library: Library;
    try {
      library = (await import(PACKAGE)) as Library;
    } catch (error) {
      return { ok: false, fault: 'absent', reason: `serialport: ${saying(error)}` };
    }
    const baudRate = bauds[attempt % bauds.length] ?? 9_600;
    const serial = new library.SerialPort({
      path,
      baudRate,
      dataBits,
      parity,
      stopBits,
      rtscts: flow === 'rtscts',
      xon: flow === 'xon',
      xoff: flow === 'xon',
      lock: true,
      autoOpen: false,
    });
    // After a cancelled write it says `close` twice; and an error without a listener ends the process.
    let closed = false;
    const close = (): void => {
      if (closed) return;
      closed = true;
      events.closed();
    };
    serial.on('error', () => undefined);
    return await new Promise<Opened>((answer) => {
      serial.open((error) => {
        if (error) return answer(refusal(path, error));
        serial.on('data', (bytes: Uint8Array) => {
          if (!closed) events.bytes(bytes);
        });
        serial.on('close', close);
        const destroy = (): void => {
          if (serial.isOpen) serial.close(() => undefined);
          close();
        };
        const raw = {
          isOpen: () => !closed && serial.isOpen && !serial.destroyed,
          write: (bytes: Uint8Array, done: (error?: Error | null) => void) =>
            void serial.write(Buffer.from(bytes), done),
          destroy,
        };
        answer({ ok: true, port: makePort(raw, writeMs) });
      });
    });
  };
  return { place: path, open };
}
