// Which numbers are card numbers: issuer range, length and check digit together. Luhn alone calls every
// tenth number a card; with range and length, time stamps, EAN-13 and IMEI are none (measured, in
// research/pos.md section 3). Visa with 13 digits is extinct and left out, because it looks like an EAN-13.

export type Issuer = {
  readonly name: string;
  /** So much of the number space that a bare hit proves little: it needs a card word or grouping. */
  readonly wide: boolean;
};

type Range = Issuer & {
  /** Of the first six digits, both ends included. */
  readonly from: number;
  readonly to: number;
  readonly lengths: readonly number[];
};

const range = (name: string, from: number, to: number, ...lengths: number[]): Range => ({
  ...{ name, from, to, lengths },
  wide: false,
});
const wide = (name: string, from: number, to: number, ...lengths: number[]): Range => ({
  ...range(name, from, to, ...lengths),
  wide: true,
});

const MAESTRO_LENGTHS = [12, 13, 14, 15, 16, 17, 18, 19];

/** Narrow ranges first: the first that fits names the card. ISO/IEC 7812 and the networks' own tables. */
const RANGES: readonly Range[] = [
  range('visa', 400_000, 499_999, 16, 19),
  range('mastercard', 510_000, 559_999, 16),
  range('mastercard', 222_100, 272_099, 16),
  range('amex', 340_000, 349_999, 15),
  range('amex', 370_000, 379_999, 15),
  range('diners', 300_000, 305_999, 14),
  range('diners', 309_500, 309_599, 14),
  range('diners', 360_000, 369_999, 14),
  range('diners', 380_000, 399_999, 14),
  range('discover', 601_100, 601_199, 16, 19),
  range('discover', 644_000, 659_999, 16, 19),
  range('jcb', 352_800, 358_999, 16),
  range('unionpay', 620_000, 629_999, 16, 17, 18, 19),
  range('mir', 220_000, 220_499, 16),
  wide('maestro', 500_000, 509_999, ...MAESTRO_LENGTHS),
  wide('maestro', 560_000, 589_999, ...MAESTRO_LENGTHS),
  wide('maestro', 600_000, 699_999, ...MAESTRO_LENGTHS),
  wide('rupay', 810_000, 829_999, 16),
];

export const CARD_DIGITS_MIN = 12;
export const CARD_DIGITS_MAX = 19;

/** @param digits of nothing but 0 to 9. */
export function issuerOf(digits: string): Issuer | undefined {
  const first = Number(digits.slice(0, 6));
  return RANGES.find(
    ({ from, to, lengths }) => from <= first && first <= to && lengths.includes(digits.length),
  );
}

/** ISO/IEC 7812-1 annex B. */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  let doubles = false;
  for (let at = digits.length - 1; at >= 0; at -= 1) {
    const digit = digits.charCodeAt(at) - 48;
    const doubled = digit * 2;
    sum += doubles ? (doubled > 9 ? doubled - 9 : doubled) : digit;
    doubles = !doubles;
  }
  return sum % 10 === 0;
}
