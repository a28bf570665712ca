// The pure parts of the reference terminal: what may be done to a basket, what an answer of the head
// office means, what a printer's status bytes mean, and whether its metrics are those of the catalogue.

import { describe, expect, it } from 'vitest';
import { catalogue } from '../../protocol/metrics.ts';
import { canonicalJson } from '../../terminal/centre/store.ts';
import {
  encodeJob,
  FENCE,
  isFence,
  isStatus,
  plainText,
  troubleOf,
} from '../../terminal/hardware/escpos.ts';
import {
  type Basket,
  LINES_MAX,
  mayAdd,
  mayComplete,
  mayTender,
  mayVoid,
  settled,
} from '../../terminal/sale/basket.ts';
import { receiptNumber, receiptText, WIDTH } from '../../terminal/sale/receipt-text.ts';
import { common, portVariable, readEnvironment, urlVariable } from '../../terminal/shared/env.ts';
import { backoffCeilingMs, fullJitterMs } from '../../terminal/shared/loops.ts';
import { createRegistry, NAMES } from '../../terminal/shared/metrics.ts';
import { ean13, products } from '../../terminal/shared/products.ts';
import { outcomeOf } from '../../terminal/sync/outcome.ts';

const line = { line: 1, clientId: '', sku: '1', name: 'Bread', quantity: 2, unitMinor: 150 };
const open: Basket = { id: 'b', state: 'open', openedMs: 0, lines: [line] };
const tender = { serviceId: 's', basket: 'b', kind: 'card', amountMinor: 300, token: 't' } as const;
const paid: Basket = { ...open, state: 'paid', tender: { ...tender, state: 'authorised' } };
const card = (amountMinor: number) => ({ kind: 'card', amountMinor }) as const;
const cash = (amountMinor: number) => ({ kind: 'cash', amountMinor }) as const;

describe('a basket', () => {
  it('takes items only while it is open and has room', () => {
    expect(mayAdd(undefined).ok).toBe(true);
    expect(mayAdd(open).ok).toBe(true);
    expect(mayAdd({ ...open, state: 'tendering' })).toMatchObject({ kind: 'conflict' });
    expect(mayAdd(paid)).toMatchObject({ kind: 'conflict' });
    const lines = Array.from({ length: LINES_MAX }, () => line);
    expect(mayAdd({ ...open, lines })).toMatchObject({ kind: 'conflict' });
  });

  it('is paid once, in full, and a card pays exactly what is due', () => {
    expect(mayTender(undefined, cash(1))).toMatchObject({ kind: 'conflict' });
    expect(mayTender({ ...open, lines: [] }, cash(1))).toMatchObject({ kind: 'conflict' });
    expect(mayTender(open, cash(299))).toMatchObject({ kind: 'invalid' });
    expect(mayTender(open, cash(500))).toMatchObject({ ok: true, value: { how: 'new' } });
    expect(mayTender(open, card(301))).toMatchObject({ kind: 'invalid' });
    expect(mayTender(open, card(300))).toMatchObject({ ok: true, value: { how: 'new' } });
    expect(mayTender({ ...open, state: 'tendering' }, card(300)).ok).toBe(false);
    expect(mayTender(paid, card(300))).toMatchObject({ ok: true, value: { how: 'repeat' } });
    expect(mayTender(paid, cash(300))).toMatchObject({ kind: 'conflict' });
  });

  it('is completed when paid and voided when no payment is under way', () => {
    expect(mayComplete(open).ok).toBe(false);
    expect(mayComplete(paid).ok).toBe(true);
    expect(mayVoid(open).ok).toBe(true);
    expect(mayVoid(paid).ok).toBe(true);
    expect(mayVoid({ ...open, state: 'tendering' }).ok).toBe(false);
    expect(mayVoid(undefined).ok).toBe(false);
  });

  it('never takes silence of the payment for a yes or a no', () => {
    expect(settled({ kind: 'processing' })).toBe('wait');
    expect(settled({ kind: 'not_found' })).toBe('abandoned');
    expect(settled({ kind: 'approved', token: 't' })).toBe('authorised');
    expect(settled({ kind: 'declined' })).toBe('declined');
  });
});

describe('an answer of the head office', () => {
  const answered = (status: number, body: string) =>
    outcomeOf('x', { ok: true, value: { status, headers: {}, body } }).kind;
  it('confirms a sale only when it names it', () => {
    expect(answered(200, '{"id":"x"}')).toBe('confirmed');
    expect(answered(201, '{"id":"x"}')).toBe('confirmed');
    expect(answered(200, '{"id":"y"}')).toBe('later');
    expect(answered(200, '<html>')).toBe('later');
    expect(answered(204, '')).toBe('later');
  });

  it('refuses a sale for good only when it speaks of the sale', () => {
    for (const status of [400, 409, 413, 422]) expect(answered(status, '')).toBe('refused');
    for (const status of [301, 401, 403, 404, 407, 408, 429, 500, 503]) {
      expect(answered(status, '')).toBe('later');
    }
    expect(outcomeOf('x', { ok: false, reason: 'no line' }).kind).toBe('later');
  });

  it('is about content, not about the order of fields', () => {
    expect(canonicalJson({ b: [1, { d: 1, c: 2 }], a: null })).toBe(
      canonicalJson({ a: null, b: [1, { c: 2, d: 1 }] }),
    );
    expect(canonicalJson({ a: 1 })).not.toBe(canonicalJson({ a: '1' }));
  });
});

describe('a receipt printer', () => {
  const well = { printer: 0x12, offline: 0x12, paper: 0x12 };
  it('is understood by its status bytes', () => {
    expect(troubleOf(well)).toBeUndefined();
    expect(troubleOf({ ...well, printer: 0x16 })).toBeUndefined();
    expect(troubleOf({ ...well, paper: 0x1e })).toBeUndefined();
    expect(troubleOf({ ...well, printer: 0x1a })).toBe('E_OFFLINE');
    expect(troubleOf({ ...well, offline: 0x16 })).toBe('EPTR_COVER_OPEN');
    expect(troubleOf({ ...well, offline: 0x32 })).toBe('EPTR_REC_EMPTY');
    expect(troubleOf({ ...well, paper: 0x72 })).toBe('EPTR_REC_EMPTY');
    expect(troubleOf({ ...well, offline: 0x52 })).toBe('E_FAILURE');
    expect(troubleOf({ ...well, paper: undefined })).toBe('E_TIMEOUT');
  });

  it('never mistakes one kind of answer for the other', () => {
    for (let byte = 0; byte < 256; byte += 1) expect(isStatus(byte) && isFence(byte)).toBe(false);
    expect(isFence(0x11) || isStatus(0x11) || isFence(0x13) || isStatus(0x13)).toBe(false);
  });

  it('gets plain ASCII between the commands, whatever the text holds', () => {
    expect(plainText('Crème\r\nbrûlée ✓ \u0007\u001bp')).toBe('Creme\nbrulee ? p');
    const job = encodeJob('x\u0010\u0004\u0001y');
    expect(job.includes(Buffer.from([0x10, 0x04]))).toBe(false);
    expect(job.subarray(-FENCE.length)).toEqual(FENCE);
  });

  it('prints lines that fit the roll', () => {
    const sale = {
      ...{ id: 'i', sequence: 42, generation: 1_795_000_000_000, store: 's', terminal: 'lane-1' },
      ...{ basket: 'b', completedMs: 0, currency: 'EUR', totalMinor: 300, version: '1' },
      lines: [{ sku: '1', name: 'N'.repeat(80), quantity: 2, unitMinor: 150 }],
      tender: { kind: 'cash', amountMinor: 500, changeMinor: 200, token: '' } as const,
    };
    const lines = receiptText(sale).split('\n');
    expect(lines.filter((text) => text.length > WIDTH)).toEqual([]);
    expect(lines).toContain(`${'Change'.padEnd(WIDTH - 4)}2.00`);
    expect(receiptNumber(sale)).toMatch(/^lane-1-[0-9a-z]+-000042$/);
  });
});

describe('the environment', () => {
  it('is refused with all its problems at once, each with its name', () => {
    const entries = { ...common, PORT: portVariable(1), URL: urlVariable('http://localhost') };
    const read = readEnvironment(entries, { PORT: '99999', URL: 'ftp://x', POS_FAULTS: 'yes' });
    expect(read).toMatchObject({ ok: false });
    for (const name of ['PORT: ', 'URL: ', 'POS_FAULTS: ', 'POS_DATA_DIR: ']) {
      expect(read.ok ? '' : read.reason).toContain(name);
    }
  });

  it('takes an empty variable for an unset one', () => {
    const read = readEnvironment(
      { ...common, PORT: portVariable(7) },
      { PORT: '', POS_DATA_DIR: 'd' },
    );
    expect(read).toMatchObject({ ok: true, value: { PORT: 7, POS_FAULTS: false } });
  });
});

describe('the terminal and the catalogue', () => {
  it('agree on every name, type and label', () => {
    const ours = Object.entries(NAMES).map(([name, [type, ...labels]]) => [name, type, labels]);
    const theirs = Object.entries(catalogue)
      .filter(([, entry]) => entry.source === 'component')
      .map(([name, { type, labels }]) => [name, type, [...labels]]);
    expect(ours.sort()).toEqual(theirs.sort());
  });

  it('agree on the help texts', async () => {
    const all = Object.fromEntries(Object.keys(NAMES).map((name) => [name, () => []]));
    const registry = createRegistry(all);
    for (const { name, help } of await registry.getMetricsAsJSON()) {
      expect([name, help]).toEqual([name, catalogue[name as keyof typeof catalogue].help]);
    }
  });
});

describe('small things', () => {
  it('pauses with full jitter under a ceiling', () => {
    const ceilings = [0, 1, 2, 7, 50].map((attempt) => backoffCeilingMs(attempt, 500, 60_000));
    expect(ceilings).toEqual([500, 1_000, 2_000, 60_000, 60_000]);
    expect([0, 0.5, 0.999].map((random) => fullJitterMs(1_000, () => random))).toEqual([
      0, 500, 999,
    ]);
  });

  it('makes real EAN-13 numbers and the same list each time', () => {
    expect(ean13('400638133393')).toBe('4006381333931');
    expect(products(1)).toEqual(products(1));
    expect(new Set(products(1).map((product) => product.sku)).size).toBe(50);
  });
});
