// Kinds of errors on the screen of somebody who was woken.

import { describe, expect, it } from 'vitest';
import type { Client } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { readVersion } from '../../cli/errors-verb.ts';
import { plainStyle } from '../../cli/screen.ts';
import {
  type ErrorKind,
  type ErrorsOptions,
  howToAsk,
  markOf,
  phraseOf,
  runErrors,
} from '../../cli/verbs/errors.ts';

const NOW = Date.UTC(2026, 10, 23, 3, 0, 0);
const kind = (more: Partial<ErrorKind> = {}): ErrorKind => ({
  ...{ signature: '0123456789abcdef', component: 'sale', level: 'error', growth: 1, isNew: false },
  ...{ pattern: 'receipt * not printed after * tries', sample: 'receipt 4711', stores: 12 },
  ...{ terminal: 'bm-lane-1', count: 1_204, terminals: 37, firstMs: NOW - 9e6, lastMs: NOW - 12e4 },
  versions: [
    { version: '2.5.0', count: 1_200, terminals: 36 },
    { version: '2.4.1', count: 4, terminals: 1 },
  ],
  ...more,
});
const OPTIONS: ErrorsOptions = { since: '24h', onlyNew: false, limit: '20' };

async function run(
  errors: readonly ErrorKind[],
  options: Partial<ErrorsOptions> = {},
  json = false,
) {
  const lines: string[] = [];
  const asked: string[] = [];
  const get = (path: string) => {
    asked.push(path);
    const value = { errors, total: errors.length + 3, overBound: 40 };
    return Promise.resolve({ ok: true, value });
  };
  const context: Context = {
    print: (line) => lines.push(line),
    style: plainStyle,
    client: { get } as unknown as Client,
    nowMs: () => NOW,
    sleep: () => Promise.resolve(),
    json,
  };
  const outcome = await runErrors(context, { ...OPTIONS, ...options });
  return { lines, outcome, query: new URL(asked[0] ?? '/', 'http://broker').searchParams };
}

describe('tillwatch errors', () => {
  it('shows what is new, what grows, which versions have it, and how to get the lines', async () => {
    const grows = kind({ level: 'warn', component: 'sync', growth: 6.4, pattern: 'slow: *' });
    const { lines } = await run([kind({ isNew: true }), grows, kind({ count: 3 })]);
    expect(lines).toEqual([
      'WHAT        LEVEL  COMPONENT  COUNT  TERMINALS  LAST       VERSIONS',
      'NEW         error  sale       1 204         37  2 min ago  2.5.0 (36), 2.4.1 (1)',
      '    receipt * not printed after * tries',
      'GROWING x6  warn   sync       1 204         37  2 min ago  2.5.0 (36), 2.4.1 (1)',
      '    slow: *',
      '            error  sale           3         37  2 min ago  2.5.0 (36), 2.4.1 (1)',
      '    receipt * not printed after * tries',
      '',
      'The lines themselves, of the first one:',
      '  tillwatch logs bm-lane-1 --component sale --level error --since 2026-11-23T02:53:00Z ' +
        '--until 2026-11-23T03:03:00Z --grep "not printed after" --reason "..."',
      '3 kinds more: --limit, or ask more narrowly',
      '40 records more of kinds beyond what a terminal tells apart',
    ]);
  });

  it('asks for what was said', async () => {
    const { query } = await run([], {
      ...{ since: '2h', until: '1h', version: '2.5.0', store: 'bonn', terminal: 'bn-1' },
      ...{ component: 'sale', level: 'warn', limit: '7' },
    });
    expect(Object.fromEntries(query)).toEqual({
      ...{ sinceMs: String(NOW - 72e5), untilMs: String(NOW - 36e5), version: '2.5.0' },
      ...{ store: 'bonn', terminal: 'bn-1', component: 'sale', level: 'warn', limit: '7' },
    });
  });

  it.each<Partial<ErrorsOptions>>([
    { since: 'yesterday' },
    { level: 'info' },
    { limit: '0' },
    { terminal: '../x' },
  ])('refuses %o with a sentence', async (options) => {
    const { outcome, lines } = await run([], options);
    expect([outcome.exit, lines]).toEqual([64, []]);
    expect(outcome.sentence).toMatch(/\w/);
  });

  it('shows only new ones where that is wanted, also as JSON', async () => {
    const { lines } = await run([kind({ isNew: true }), kind()], { onlyNew: true }, true);
    expect(JSON.parse(lines.join('\n')).errors).toHaveLength(1);
  });

  it('says so when there is nothing', async () => {
    expect((await run([])).lines[0]).toBe(
      'Nothing: no terminal has told of such warnings or errors in this time.',
    );
  });
});

it('takes --version for its own, and leaves it to the program elsewhere', () => {
  expect(readVersion(['errors', '--version', '2.5.0'])).toEqual(['errors', '--runs', '2.5.0']);
  expect(readVersion(['errors', '--version=2.5.0'])).toEqual(['errors', '--runs=2.5.0']);
  expect(readVersion(['errors', '--version'])).toEqual(['errors', '--version']);
  expect(readVersion(['--version', 'x'])).toEqual(['--version', 'x']);
});

describe('the words of a kind', () => {
  it('are what to look for, and nothing that a shell would read', () => {
    expect(phraseOf('cannot "$(rm -rf)" read * x')).toBe('cannot (rm -rf) read');
    expect(phraseOf('* a * b *')).toBeUndefined();
    expect(howToAsk(kind({ pattern: '*' }))).not.toContain('--grep');
  });

  it('are no growth where a handful came', () => {
    expect(markOf(kind({ growth: 9, count: 9 }))).toBe('');
    expect(markOf(kind({ growth: 9, count: 10 }))).toBe('GROWING x9');
  });
});
