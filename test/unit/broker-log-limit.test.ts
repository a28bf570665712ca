import { expect, test } from 'vitest';
import { LINES_PER_SECOND_MAX, limitLog } from '../../broker/log-limit.ts';

test('a flood of one message is cut to a few lines a second, and the next line says what is missing', () => {
  let now = 0;
  const lines: [string, unknown][] = [];
  const write = (message: string, fields: unknown): number => lines.push([message, fields]);
  const log = limitLog({ info: write, warn: write, error: write }, { monotonicMs: () => now });
  for (let count = 0; count < 500; count += 1) log.warn('refused', { count });
  log.warn('closed', {});
  expect(lines).toHaveLength(LINES_PER_SECOND_MAX + 1);
  expect(lines.at(-1)).toEqual(['closed', {}]);
  now = 1_000;
  log.warn('refused', { count: 500 });
  log.warn('refused', { count: 501 });
  expect(lines.slice(-2)).toEqual([
    ['refused', { count: 500, unsaidBefore: 500 - LINES_PER_SECOND_MAX }],
    ['refused', { count: 501 }],
  ]);
});
