// How two families of checkout scales speak: Mettler-Toledo 8217 and Weigh-Tronix NCI SCP-01 (research/pos.md
// 1.3). Both are asked and answer; a stable weight comes as a number, everything else as status bits. Pure:
// bytes in, readings out, so that a third family is one more entry in the table.

import type { Reader } from '../transports/conversation.ts';

export type Reading =
  /** Grams, so that no fraction is ever added up. */
  | { readonly kind: 'weight'; readonly grams: number }
  | { readonly kind: 'unstable' }
  | { readonly kind: 'overweight' }
  | { readonly kind: 'under_zero' }
  /** The scale's own memory or calibration: a matter for the weights and measures office. */
  | { readonly kind: 'broken'; readonly detail: string }
  | { readonly kind: 'garbage' };

export type Protocol = {
  readonly askWeight: Uint8Array;
  readonly askZero: Uint8Array | undefined;
  readonly reader: () => Reader<Reading>;
};

const ANSWER_BYTES_MAX = 64;
const GRAMS_PER: Readonly<Record<string, number>> = {
  KG: 1_000,
  G: 1,
  LB: 453.592_37,
  OZ: 28.349_523_125,
};

const toGrams = (number: string, unit: string): Reading => {
  const factor = GRAMS_PER[unit.toUpperCase()];
  const value = Number(number);
  if (factor === undefined || !Number.isFinite(value)) return { kind: 'garbage' };
  return { kind: 'weight', grams: Math.round(value * factor * 1_000) / 1_000 };
};

/** STX ? status CR: bit 0 motion, 1 over capacity, 2 under zero. The others only inform. */
function mettlerStatus(status: number): Reading {
  if ((status & 0x40) !== 0) return { kind: 'garbage' };
  if ((status & 0x02) !== 0) return { kind: 'overweight' };
  if ((status & 0x04) !== 0) return { kind: 'under_zero' };
  return (status & 0x01) !== 0 ? { kind: 'unstable' } : { kind: 'broken', detail: 'no weight' };
}

const STX = '\x02';
const ETX = '\x03';

function mettlerAnswer(answer: string, unit: string): Reading {
  // A status byte may itself be STX (over capacity), so the status is looked for first.
  if (answer.slice(-4, -2) === `${STX}?`)
    return mettlerStatus(answer.charCodeAt(answer.length - 2));
  // What was left from before a reconnection comes before it.
  const start = answer.lastIndexOf(STX);
  if (start < 0) return { kind: 'garbage' };
  const body = answer.slice(start + 1, -1);
  const weight = /^ *([0-9]{1,4}(?:\.[0-9]{1,4})?)N?$/.exec(body)?.[1];
  return weight === undefined ? { kind: 'garbage' } : toGrams(weight, unit);
}

/** LF weight unit CR LF status CR ETX; only the status when there is no weight to tell. */
function nciAnswer(answer: string): Reading {
  const lines = answer.slice(0, -2).split(/\r?\n/);
  const status = /^S?([0-?p-~]{2,4})$/.exec(lines.at(-1) ?? '')?.[1];
  if (status === undefined) return { kind: 'garbage' };
  const [one = 0, two = 0] = [...status].map((char) => char.charCodeAt(0));
  if ((one & 0x0c) !== 0) return { kind: 'broken', detail: 'its memory' };
  if ((two & 0x0c) !== 0) return { kind: 'broken', detail: 'its calibration' };
  if ((two & 0x02) !== 0) return { kind: 'overweight' };
  if ((two & 0x01) !== 0) return { kind: 'under_zero' };
  if ((one & 0x01) !== 0) return { kind: 'unstable' };
  const [, weight, unit] = /^ *(-?[0-9.]+) *([A-Za-z]{1,2})$/.exec(lines.at(-2) ?? '') ?? [];
  return weight === undefined || unit === undefined ? { kind: 'garbage' } : toGrams(weight, unit);
}

/** Collects up to the closing byte. */
function closedBy(end: string, read: (answer: string) => Reading, mask: number): Reader<Reading> {
  let held = '';
  return {
    push: (bytes) => {
      const readings: Reading[] = [];
      for (const byte of bytes) {
        held += String.fromCharCode(byte & mask);
        if (held.endsWith(end)) {
          readings.push(read(held));
          held = '';
        } else if (held.length > ANSWER_BYTES_MAX) {
          readings.push({ kind: 'garbage' });
          held = '';
        }
      }
      return readings;
    },
  };
}

/** The status byte of a Mettler answer may not be CR, so the first CR always closes it. */
export const mettler8217 = (unit: 'kg' | 'lb' = 'kg'): Protocol => ({
  askWeight: Buffer.from('W'),
  askZero: Buffer.from('Z'),
  // 7E1: the top bit is parity where the line was opened with eight.
  reader: () => closedBy('\r', (answer) => mettlerAnswer(answer, unit), 0x7f),
});

export const nciScp01 = (): Protocol => ({
  askWeight: Buffer.from('W\r'),
  askZero: Buffer.from('Z\r'),
  reader: () => closedBy(`\r${ETX}`, nciAnswer, 0x7f),
});
