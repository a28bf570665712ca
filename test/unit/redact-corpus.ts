// The cards and encodings of the research (pos.md section 3), and numbers that are no cards, each made by
// its own rule with its own right check digit. All card numbers are the networks' published test numbers.

export const cards = [
  ...['4111111111111111', '4012888888881881', '4000056655665556', '4242424242424242'],
  ...['5555555555554444', '5105105105105100', '2223003122003222', '2223000048400011'],
  ...['378282246310005', '371449635398431', '6011111111111117', '6445644564456445'],
  ...['3530111333300000', '30569309025904', '36227206271667'],
  ...['6200000000000005', '6205500000000000004', '2200000000000004'],
];
export const wideCards = ['6759649826438453', '5000550000000029'];
export const track1 = '%B4111111111111111^DOE/JOHN^29122011234500000000?';
export const track2 = ';4111111111111111=29122011234567890?';

const fours = (card: string, separator: string): string =>
  card.replace(/(\d{4})(?=\d)/g, `$1${separator}`);

/** Name and text of each way in which a card number gets into a log. */
export function encodings(card: string): [string, string][] {
  return [
    ['plain', `card ${card} declined`],
    ['alone', card],
    ['blanks', `no ${fours(card, ' ')} x`],
    ['hyphens', `no ${fours(card, '-')}, x`],
    ['dots', `no ${fours(card, '.')}; x`],
    ['JSON text', JSON.stringify({ level: 'info', message: `paid by ${card}`, n: 1 })],
    ['JSON number', `{"level":"info","number":${card},"n":1}`],
    ['JSON in JSON', JSON.stringify({ body: JSON.stringify({ pan: card }) })],
    ['URL', `GET /pay?pan=${card}&amount=100 HTTP/1.1`],
    ['URL blanks', `GET /pay?no=${fours(card, '%20')}&x=1`],
    ['URL plus', `GET /pay?no=${fours(card, '+')}&x=1`],
    ['URL hyphens', `GET /pay?no=${fours(card, '%2D')}&x=1`],
    ['key and value', `terminal=7 pan=${card} amount=12.50`],
    ['quoted', `number='${card}'`],
    ['XML', `<Pan>${card}</Pan>`],
    ['letters beside it', `PAN${card}EXP`],
    ['stack trace', `Error: bad card ${card}\n    at pay (/opt/pos/pay.js:10:5)`],
    ['time in front', `2026-11-23T10:00:00.123Z 17 ${card}`],
  ];
}

export const containsCard = (text: string, card: string): boolean =>
  text.replace(/%2[0dDeEbB]|[ .+-]/g, '').includes(card);

export type Random = () => number;

/** mulberry32: small, seeded, good enough for digits. */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const digits = (random: Random, count: number): string =>
  Array.from({ length: count }, () => Math.floor(random() * 10)).join('');
const hex = (random: Random, count: number): string =>
  Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('');
const gs1 = (body: string): string => {
  const sum = [...body].reduceRight(
    (s, d, at) => s + Number(d) * ((body.length - at) % 2 ? 3 : 1),
    0,
  );
  return body + ((10 - (sum % 10)) % 10);
};
const luhn = (body: string): string => {
  const sum = [...body].reduceRight((s, d, at) => {
    const value = Number(d) * ((body.length - at) % 2 ? 2 : 1);
    return s + (value > 9 ? value - 9 : value);
  }, 0);
  return body + ((10 - (sum % 10)) % 10);
};
/** GS1 prefixes of companies; 2 is for use within a store and stands in no GTIN of a case. */
const company = (random: Random): string =>
  ['40', '44', '50', '30', '36', '80', '54', '87', '69', '35', '00', '07'][
    Math.floor(random() * 12)
  ] ?? '40';

/** Lines with one number each that is no card; the class names are those of the research. */
export const harmless: Record<string, (random: Random) => string> = {
  'epoch ms': (r) => `at ${1_763_000_000_000 + Math.floor(r() * 1e10)} done`,
  'epoch us': (r) => `{"time":${1_763_000_000_000_000 + Math.floor(r() * 1e13)},"level":30}`,
  'epoch ns': (r) => `ts=17${digits(r, 17)} level=info`,
  'EAN-13': (r) => `scanned ${gs1(company(r) + digits(r, 10))}`,
  'GTIN-14 of a case': (r) => `scanned (01)${gs1(`1${company(r)}${digits(r, 10)}`)}`,
  'GTIN-14 by key': (r) => `{"gtin":"${gs1(digits(r, 13))}","quantity":1}`,
  'SSCC-18': (r) => `{"sscc":"${gs1(digits(r, 17))}"}`,
  IMEI: (r) => `modem imei ${luhn(`35${digits(r, 12)}`)}`,
  ICCID: (r) => `sim iccid=${luhn(`89${digits(r, 16)}`)}`,
  'receipt number of 19 digits': (r) => `{"receipt":"${digits(r, 19)}"}`,
  'receipt number in a sentence': (r) => `receipt no. ${digits(r, 18)} printed`,
  UUID: (r) => `sale ${hex(r, 8)}-${hex(r, 4)}-4${hex(r, 3)}-a${hex(r, 3)}-${hex(r, 12)} completed`,
  'SHA-256': (r) => `digest ${hex(r, 64)}`,
  'trace id': (r) => `traceparent=00-${hex(r, 32)}-${hex(r, 16)}-01`,
  fraction: (r) => `score ${r()} of 1`,
  coordinates: (r) => `at ${(r() * 180 - 90).toFixed(14)}, ${(r() * 360 - 180).toFixed(13)}`,
  'prices and amounts': (r) => `total ${digits(r, 3)}.${digits(r, 2)} of ${digits(r, 4)} items`,
  'date and time': (r) => `2026${digits(r, 4)} ${digits(r, 6)} ${digits(r, 3)} started`,
};
