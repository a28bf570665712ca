// No card number reaches a file by way of our own loggers: neither the components' nor the agent's.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOwnLog } from '../../agent/logs/own.ts';
import { lastLines } from '../../agent/watchdog/evidence.ts';
import { type Counts, NO_COUNTS } from '../../redact/index.ts';
import { track2 } from './redact-corpus.ts';

const CARD = '4111111111111111';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-redact-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = {
  cvv: '123',
  pan: CARD,
  card: { list: [Number(CARD), `x ${CARD} y`] },
  raw: track2,
  saleId: '4e5f1a2b-1234-4abc-8def-000000000001',
};
const clean = {
  message: 'paid by [PAN visa ....1111]',
  cvv: '[REMOVED]',
  pan: '[PAN visa ....1111]',
  card: { list: ['[PAN visa ....1111]', 'x [PAN visa ....1111] y'] },
  raw: '[TRACK]',
  saleId: record.saleId,
};

describe('a card number', () => {
  it('given to the agent’s own log does not reach its file, and is counted', async () => {
    const path = join(folder, 'agent.log');
    const found: Counts[] = [];
    const log = openOwnLog(path, false, { found: (counts) => found.push(counts) });
    log.warn(`paid by ${CARD}`, { ...record, cause: new Error(`no ${CARD}`) });
    await log.end();
    const text = readFileSync(path, 'utf8');
    expect(text).not.toContain(CARD);
    expect(JSON.parse(text)).toMatchObject({ ...clean, level: 'warn' });
    expect(found).toEqual([{ ...NO_COUNTS, pan: 5, track: 1, key: 1 }]);
  });

  it('given to a component’s log is not printed', () => {
    const code = `import { createLog } from './terminal/shared/log.ts';
      createLog('sale', '1.0.0', 'info').info('paid by ${CARD}', ${JSON.stringify(record)});`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', code]).toString();
    expect(printed).not.toContain(CARD);
    expect(JSON.parse(printed)).toMatchObject({ ...clean, component: 'sale' });
  });

  it('in the last lines of a component is not in the evidence, also when it was cut in two', () => {
    expect(lastLines(`one\npaid by ${CARD}\n`)).toEqual(['one', 'paid by [PAN visa ....1111]']);
    const end = `11111111 declined\nlast ${CARD}`;
    expect(lastLines(end, { isCut: true })).toEqual(['last [PAN visa ....1111]']);
    expect(lastLines('1111111111111 and on', { isCut: true })).toEqual(['and on']);
  });
});
