// The goods of the make-believe chain: the same fifty wherever they are asked for, so that the head
// office, a till without a price file and a test agree. EAN-13 numbers come from the range that GS1 keeps
// for use inside one company (prefix 20), so none is a real product's.

export type Product = { readonly sku: string; readonly name: string; readonly priceMinor: number };

export const PRODUCTS_COUNT = 50;
/** What a till can sell before it ever saw a price list. */
export const BUILT_IN_COUNT = 8;
export const CURRENCY = 'EUR';

const KINDS = [
  'Bread',
  'Milk',
  'Coffee',
  'Apples',
  'Cheese',
  'Soap',
  'Rice',
  'Tea',
  'Butter',
  'Water',
];
const SIZES = ['small', 'medium', 'large', 'organic', 'family'];

/** @returns the 13 digits: weights 1 and 3 in turn, and what is missing to a multiple of ten. */
export function ean13(firstTwelve: string): string {
  const sum = [...firstTwelve].reduce((acc, digit, i) => acc + Number(digit) * (i % 2 ? 3 : 1), 0);
  return `${firstTwelve}${(10 - (sum % 10)) % 10}`;
}

/** @param revision moves every price a little; 1 is the first list. */
export function products(revision: number, count: number = PRODUCTS_COUNT): Product[] {
  return Array.from({ length: count }, (_, index) => ({
    sku: ean13(`20${String(index + 1).padStart(10, '0')}`),
    name: `${KINDS[index % KINDS.length]} ${SIZES[Math.floor(index / KINDS.length) % SIZES.length]}`,
    priceMinor: 79 + ((index * 137) % 1_200) + (revision - 1) * 10,
  }));
}
