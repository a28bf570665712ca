// Numbers as they are made: each with the check digit of its own standard, from a seeded source.

import type { Random } from './redact-corpus.ts';

export function digits(random: Random, count: number): string {
  let text = '';
  while (text.length < count)
    text += Math.floor(random() * 1e6)
      .toString()
      .padStart(6, '0');
  return text.slice(0, count);
}

export function hex(random: Random, count: number): string {
  let text = '';
  while (text.length < count) {
    text += Math.floor(random() * 0x1000000)
      .toString(16)
      .padStart(6, '0');
  }
  return text.slice(0, count);
}

/** GS1 General Specifications 7.9: weights 3 and 1 from the right. */
export function gs1(body: string): string {
  let sum = 0;
  for (let at = 0; at < body.length; at += 1) {
    sum += Number(body[at]) * ((body.length - at) % 2 === 1 ? 3 : 1);
  }
  return body + ((10 - (sum % 10)) % 10);
}

/** ISO/IEC 7812-1 annex B. */
export function luhn(body: string): string {
  let sum = 0;
  for (let at = 0; at < body.length; at += 1) {
    const value = Number(body[at]) * ((body.length - at) % 2 === 1 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return body + ((10 - (sum % 10)) % 10);
}

/** ISO 13616: two check digits by modulus 97; of a German account. */
export function iban(random: Random): string {
  const account = `${1 + Math.floor(random() * 8)}${digits(random, 17)}`;
  const check = 98n - (BigInt(`${account}131400`) % 97n);
  return `DE${String(check).padStart(2, '0')}${account}`;
}
