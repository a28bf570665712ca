// The receipt as plain text, 42 characters wide, the width of an 80 mm roll in its normal font. What the
// printer makes of it is the hardware component's business.

import type { Sale } from './sales.ts';

export const WIDTH = 42;
const AMOUNT_CHARS = 10;

export const money = (minorUnits: number): string => (minorUnits / 100).toFixed(2);

const row = (left: string, right: string): string =>
  left.slice(0, WIDTH - AMOUNT_CHARS).padEnd(WIDTH - right.length) + right;

/** The number on the paper; unique over every life of the file. */
export const receiptNumber = (sale: Pick<Sale, 'terminal' | 'generation' | 'sequence'>): string =>
  `${sale.terminal}-${sale.generation.toString(36)}-${String(sale.sequence).padStart(6, '0')}`;

export function receiptText(sale: Sale): string {
  const { tender, currency } = sale;
  const lines = sale.lines.flatMap(({ name, quantity, unitMinor }) => [
    row(name, money(quantity * unitMinor)),
    ...(quantity > 1 ? [`  ${quantity} x ${money(unitMinor)}`] : []),
  ]);
  return [
    row(sale.store, sale.terminal),
    row('Receipt', receiptNumber(sale)),
    new Date(sale.completedMs).toISOString().slice(0, 19).replace('T', ' '),
    '-'.repeat(WIDTH),
    ...lines,
    '-'.repeat(WIDTH),
    row(`TOTAL ${currency}`, money(sale.totalMinor)),
    row(tender.kind === 'card' ? 'Card' : 'Cash', money(tender.amountMinor)),
    ...(tender.changeMinor > 0 ? [row('Change', money(tender.changeMinor))] : []),
    `Sale ${sale.id}`,
    '',
  ].join('\n');
}
