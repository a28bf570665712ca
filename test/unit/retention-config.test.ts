import { describe, expect, test } from 'vitest';
import { formatProblem, loadConfig } from '../../broker/config.ts';
import {
  RETENTION,
  RETENTION_DEFAULT,
  RETENTION_ROWS,
  retentionText,
} from '../../broker/config-retention.ts';

const load = (text: string) => loadConfig(text, '/etc/tillwatch');
const problems = (text: string): string[] => {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
};

describe('the table of what is kept', () => {
  test.each(RETENTION_ROWS)(
    '%s has a default within its bounds, and a deed in words',
    (_name, row) => {
      expect(row.otherwise).toBeGreaterThanOrEqual(row.min);
      expect(row.otherwise).toBeLessThanOrEqual(row.max);
      expect(row.atLimit).toMatch(/^[A-Z].{20,}\.$/s);
    },
  );

  test('bounds everything by age, and by size or rows', () => {
    for (const { rows } of Object.values(RETENTION)) {
      const names = Object.keys(rows);
      expect(names.some((name) => /days$/i.test(name))).toBe(true);
      expect(names.some((name) => /(bytes|rows|requests|commands)Max$/.test(name))).toBe(true);
    }
  });

  test('is printed for people with every setting and every deed', () => {
    const text = retentionText();
    for (const [name, { atLimit }] of RETENTION_ROWS) {
      expect(text).toContain(`\`${name}\``);
      expect(text).toContain(atLimit);
    }
    expect(text).toContain('| `ledger.bytesMax` | 1 GiB |');
    expect(text).toContain('| `events.rowsMax` | 1 000 000 |');
  });
});

describe('its settings', () => {
  test('are read where they are given and have their default where not', () => {
    const loaded = load('retention: { ledger: { days: 3 }, history: { bytesMax: 33554432 } }');
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        retention: {
          ...RETENTION_DEFAULT,
          ledger: { days: 3, bytesMax: RETENTION_DEFAULT.ledger.bytesMax },
          history: { days: RETENTION_DEFAULT.history.days, bytesMax: 33_554_432 },
        },
      },
    });
  });

  test('are refused outside their bounds, and when they are misspelt', () => {
    expect(problems('retention:\n  audit: { days: 364 }\n  log: { days: 3 }\n')).toEqual([
      'retention.audit.days: must be a whole number from 365 to 3650 (line 2)',
      'retention.log: is not a setting that the broker knows (line 3)',
    ]);
  });

  test('take the bound of the ledger from where it stood before', () => {
    const loaded = load('ledger: { bytesMax: 2097152 }');
    expect(loaded.ok && loaded.config.retention.ledger).toEqual({
      days: RETENTION_DEFAULT.ledger.days,
      bytesMax: 2_097_152,
    });
    expect(
      problems('ledger: { bytesMax: 2097152 }\nretention: { ledger: { bytesMax: 3097152 } }'),
    ).toEqual([
      'ledger.bytesMax: is retention.ledger.bytesMax now, which says something else: ' +
        'leave this one out (line 1)',
    ]);
  });
});
