// A retail log of any length in which nothing is card data: what tills, scanners, modems, databases and stack traces
// print, each number made by its own rule with its own right check digit. Seeded, so that a line that is touched
// wrongly can be looked at again. Used by the unit test and by the benchmark, so that both speak of the same log.

import { type Random, seeded } from './redact-corpus.ts';
import { digits, gs1, hex, iban, luhn } from './retail-numbers.ts';

export { type Random, seeded };

type Line = (random: Random) => string;

const pick = <T>(random: Random, from: readonly T[]): T =>
  from[Math.floor(random() * from.length)] as T;
const whole = (random: Random, below: number): number => Math.floor(random() * below);
const two = (value: number): string => String(value).padStart(2, '0');

/** GS1 prefixes of companies in Europe, America and Asia. */
const COMPANIES = ['40', '44', '50', '30', '36', '80', '54', '87', '69', '35', '00', '07', '57'];
const company = (r: Random): string => pick(r, COMPANIES);
const gtin13 = (r: Random): string => gs1(company(r) + digits(r, 10));
const day = (r: Random): string => `2026-${two(1 + whole(r, 12))}-${two(1 + whole(r, 28))}`;
const clock = (r: Random): string =>
  `${two(whole(r, 24))}:${two(whole(r, 60))}:${two(whole(r, 60))}.${digits(r, 3)}`;
const epochMs = (r: Random): number => 1_763_000_000_000 + whole(r, 10_000_000_000);
const price = (r: Random): string => `${whole(r, 900)}.${digits(r, 2)}`;
const ip4 = (r: Random): string => Array.from({ length: 4 }, () => whole(r, 256)).join('.');
const base64 = (r: Random, bytes: number): string =>
  Buffer.from(Uint8Array.from({ length: bytes }, () => whole(r, 256))).toString('base64');
const LEVELS = ['info', 'debug', 'warn', 'error'] as const;
const WORDS = ['drawer', 'scale', 'printer', 'sale', 'item', 'cashier', 'journal', 'sync', 'price'];
const words = (r: Random, count: number): string =>
  Array.from({ length: count }, () => pick(r, WORDS)).join(' ');

/** The same text as five kinds of programs print it. */
export function framed(r: Random, message: string): string {
  const level = pick(r, LEVELS);
  switch (whole(r, 5)) {
    case 0:
      return JSON.stringify({ level: 30, time: epochMs(r), pid: whole(r, 32_768), msg: message });
    case 1:
      return JSON.stringify({ level, message, timestamp: `${day(r)}T${clock(r)}Z` });
    case 2:
      return `time=${day(r)}T${clock(r)}Z level=${level} msg="${message.replaceAll('"', '\\"')}"`;
    case 3:
      return `${day(r)} ${clock(r).replace('.', ',')} ${level.toUpperCase()} [main] com.pos.Till - ${message}`;
    default:
      return `${day(r)}T${clock(r)}Z ${level}: ${message}`;
  }
}

const numbers: Record<string, Line> = {
  'GTIN-8': (r) => `scanned ${gs1(digits(r, 7))} x${1 + whole(r, 9)}`,
  'GTIN-12': (r) => `upc ${gs1(digits(r, 11))} not on file`,
  'GTIN-13': (r) => `scanned ${gtin13(r)} ${price(r)} EUR`,
  'GTIN-13 beside a payment': (r) => `item ${gtin13(r)} sold, paid by card`,
  'GTIN-14': (r) => `case (01)${gs1(1 + whole(r, 8) + company(r) + digits(r, 10))} received`,
  'GTIN-14 by key': (r) => `{"gtin":"${gs1(digits(r, 13))}","quantity":${whole(r, 50)}}`,
  'SSCC-18': (r) => pick(r, ['(00)', 'sscc=', 'pallet sscc ']) + gs1(digits(r, 17)),
  'receipt number': (r) => `receipt no. ${digits(r, 18)} printed`,
  'receipt number by key': (r) => `{"receipt":"${digits(r, 19)}","lane":${whole(r, 20)}}`,
  'receipt number of a day': (r) =>
    `receipt 2026${digits(r, 4)}${two(whole(r, 20))}${digits(r, 6)}`,
  'order number': (r) => `order ${digits(r, 10)} picked, order #${digits(r, 12)} open`,
  'order number of a day': (r) => `order 20261123${digits(r, 8)} for collection`,
  IMEI: (r) => `modem imei ${luhn(`35${digits(r, 12)}`)} registered`,
  ICCID: (r) => `sim iccid=${luhn(`89${digits(r, 16)}`)} state=ready`,
  IBAN: (r) => `refund to ${iban(r)}`,
  'IBAN in groups': (r) => `refund to ${iban(r).replace(/(.{4})(?=.)/g, '$1 ')} booked`,
  'store number like a telephone': (r) =>
    `store 0${digits(r, 3)}-${digits(r, 4)} lane ${whole(r, 20)}`,
  'account and batch': (r) => `batch ${digits(r, 6)}-${digits(r, 4)} of account ${digits(r, 10)}`,
};

const times: Record<string, Line> = {
  'epoch s': (r) => `started at ${Math.floor(epochMs(r) / 1_000)}`,
  'epoch ms': (r) => `at ${epochMs(r)} done in ${whole(r, 900)} ms`,
  'epoch us': (r) => `{"ts":${epochMs(r)}${digits(r, 3)},"name":"${pick(r, WORDS)}"}`,
  'epoch ns': (r) => `ts=${epochMs(r)}${digits(r, 6)} level=info`,
  'date and time': (r) => `${day(r)} ${clock(r)} ${digits(r, 4)} began`,
  'date in one': (r) => `file pos_2026${digits(r, 4)}_${digits(r, 6)}_${digits(r, 4)}.csv read`,
};

const identifiers: Record<string, Line> = {
  UUID: (r) => `sale ${hex(r, 8)}-${hex(r, 4)}-4${hex(r, 3)}-a${hex(r, 3)}-${hex(r, 12)} completed`,
  'UUID of digits': (r) =>
    `sale ${digits(r, 8)}-${digits(r, 4)}-4${digits(r, 3)}-9${digits(r, 3)}-${digits(r, 12)}`,
  'SHA-1': (r) => `${hex(r, 40)}  /opt/pos/${pick(r, WORDS)}.js`,
  'SHA-256': (r) => `digest sha256:${hex(r, 64)}`,
  'git id': (r) => `version ${hex(r, 7)} of ${hex(r, 40)}`,
  'trace id': (r) => `traceparent=00-${hex(r, 32)}-${hex(r, 16)}-01`,
  MAC: (r) => `eth0 ${hex(r, 12).replace(/(..)(?=.)/g, '$1:')} up`,
  'IPv4 and port': (r) => `connect ${ip4(r)}:${whole(r, 65_536)} from ${ip4(r)}`,
  IPv6: (r) => `listen [2001:db8:${hex(r, 4)}:${hex(r, 4)}:${hex(r, 4)}:${hex(r, 4)}::1]:443`,
  'number of 64 bits': (r) => `row id 1${digits(r, 18)} locked`,
};

const amounts: Record<string, Line> = {
  prices: (r) => `total ${price(r)} of ${price(r)} ${price(r)} ${price(r)} EUR tax ${price(r)}`,
  'port list': (r) => `open ${Array.from({ length: 8 }, () => whole(r, 65_536)).join(', ')}`,
  counters: (r) => `rx ${whole(r, 1e9)} tx ${whole(r, 1e9)} errors ${whole(r, 1e4)} 0 0 12`,
  coordinates: (r) => `at ${(r() * 180 - 90).toFixed(14)}, ${(r() * 360 - 180).toFixed(13)}`,
  fraction: (r) => `score ${r()} of ${r() * 10}`,
  weights: (r) => `weight ${digits(r, 2)}.${digits(r, 3)} kg tare 0.0${digits(r, 2)} kg stable`,
  versions: (r) =>
    `node v24.${whole(r, 30)}.0 sqlite 3.${whole(r, 60)}.2 pos 2026.11.${whole(r, 400)}`,
};

const blobs: Record<string, Line> = {
  base64: (r) => `image ${base64(r, 90 + whole(r, 60))}`,
  'hex dump': (r) =>
    `${hex(r, 8)}  ${Array.from({ length: 16 }, () => hex(r, 2)).join(' ')}  |${words(r, 2).slice(0, 16).padEnd(16, '.')}|`,
  'printer bytes': (r) =>
    `printer < 1b 40 1b 61 0${whole(r, 3)} ${Array.from({ length: 8 }, () => hex(r, 2)).join(' ')} 0a`,
  'JavaScript stack': (r) =>
    `    at ${pick(r, WORDS)} (/opt/pos/node_modules/${pick(r, WORDS)}/lib/index.js:${whole(r, 2_000)}:${whole(r, 80)})`,
  'Java stack': (r) => `\tat com.pos.${pick(r, WORDS)}.Service.run(Service.java:${whole(r, 900)})`,
  words: (r) => `${words(r, 6 + whole(r, 8))}`,
  'card reader without a card': (r) =>
    `card reader: insert timeout after ${whole(r, 60)} s, pin pad ready, track read error ${whole(r, 9)}`,
  SQL: (r) =>
    `UPDATE stock SET quantity = ${whole(r, 900)} WHERE store_id = ${digits(r, 4)} AND sku = '${digits(r, 6)}'`,
  'HTTP request': (r) =>
    `GET /api/v1/items/${digits(r, 8)}?store=${digits(r, 4)}&page=${whole(r, 20)} 200 ${whole(r, 900)} ms`,
};

/** Lines that come as they are: what is around them is part of the form. */
const AS_IT_IS = new Set(['JavaScript stack', 'Java stack', 'hex dump', 'SHA-1']);

export const retail: Readonly<Record<string, Line>> = Object.fromEntries(
  Object.entries({ ...numbers, ...times, ...identifiers, ...amounts, ...blobs }).map(
    ([name, line]): [string, Line] => [
      name,
      AS_IT_IS.has(name) ? line : (random) => framed(random, line(random)),
    ],
  ),
);
const NAMES = Object.keys(retail);

/** Line after line, each of the next class. */
export function* retailLines(
  seed: number,
  count: number,
): Generator<{ name: string; line: string }> {
  const random = seeded(seed);
  for (let at = 0; at < count; at += 1) {
    const name = NAMES[at % NAMES.length] ?? '';
    yield { name, line: retail[name]?.(random) ?? '' };
  }
}
