// What Tab may become at each place of a command line, without a shell and without a broker.

import { describe, expect, it } from 'vitest';
import { complete, safeNames, suggestionLine } from '../../cli/completion/complete.ts';
import { createProgram } from '../../cli/tillwatch.ts';

const program = createProgram(() => Promise.resolve());
const asked: (string | undefined)[] = [];
const names = {
  terminals: () => Promise.resolve(['bm-lane-1', 'bm-lane-2', 'ha-lane-1']),
  stores: () => Promise.resolve(['berlin-mitte']),
  configurations: () => Promise.resolve(['base', 'self']),
  components: (terminal: string | undefined) => {
    asked.push(terminal);
    return Promise.resolve(['hardware', 'sale', 'sync']);
  },
};
const words = async (...line: string[]): Promise<string[]> =>
  (await complete(program, line, names)).map(({ word }) => word);

describe('completion', () => {
  it('offers every verb that --help shows, and itself not', async () => {
    const verbs = await words('');
    expect(verbs).toEqual(program.commands.map((one) => one.name()));
    expect(verbs).toContain('restart');
    expect(verbs.filter((verb) => verb.startsWith('_'))).toEqual([]);
  });

  it.each([
    [['fl'], ['fleet']],
    [['nonsense'], []],
    [['config', 'rollback', 'b'], ['base']],
    [
      ['terminal', 'bm'],
      ['bm-lane-1', 'bm-lane-2'],
    ],
    [
      ['restart', ''],
      ['bm-lane-1', 'bm-lane-2', 'ha-lane-1'],
    ],
    [
      ['restart', 'bm-lane-1', 's'],
      ['sale', 'sync'],
    ],
    [['restart', '--no-wait', 'bm-lane-1', 'h'], ['hardware']],
    [['restart', '--reason', 'slow', 'ha'], ['ha-lane-1']],
    [['restart', 'bm-lane-1', 'sync', '--reason', ''], []],
    [
      ['restart', 'bm-lane-1', 'sync', '--'],
      ['--reason', '--no-wait', '--force', '--json', '--help'],
    ],
    [
      ['restart', 'bm-lane-1', 'sync', ''],
      ['--reason', '--no-wait', '--force', '--json', '--help'],
    ],
    [['restart', '--json', 'bm-lane-1', 'sync', '--j'], []],
    [
      ['restart', '--', ''],
      ['bm-lane-1', 'bm-lane-2', 'ha-lane-1'],
    ],
    [['fleet', '--a'], ['--all']],
    [['fleet', '--nonsense', '--a'], ['--all']],
    [['check-config', 'any'], [':files']],
    [['status', '--run-dir', ''], [':files']],
    [
      ['hold', '--r'],
      ['--reason', '--release', '--run-dir'],
    ],
    [['broker', '--config', ''], [':files']],
    [['broker', '--config=any'], [':files']],
    [['broker', '--config', '=', 'any'], [':files']],
    [['broker', '--config', '='], [':files']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['completion', 'bash', 'x'], []],
    [
      ['logs', 'bm'],
      ['bm-lane-1', 'bm-lane-2'],
    ],
    [['logs', 'bm-lane-1', 'ha'], ['ha-lane-1']],
    [['logs', 'bm-lane-1', '--level', 'w'], ['warn']],
    [['logs', 'bm-lane-1', '--raise', 'd'], ['debug']],
    [['logs', 'bm-lane-1', '--context', ''], []],
    [
      ['errors', '--level', ''],
      ['error', 'warn'],
    ],
    [['logs', '--request', ''], []],
    [['requests', '--what', 'i'], ['incident']],
    [
      ['requests', '--state', 'c'],
      ['complete', 'cancelled'],
    ],
    [
      ['requests', ''],
      ['--terminal', '--state', '--what', '--limit', '--cancel', '--reason', '--json', '--help'],
    ],
    [['redact', '--rules', ''], [':files']],
    [[], ['demo']],
  ])('of %j offers %j', async (line, offered) => {
    const found = await words(...line);
    if (line.length > 0) expect(found).toEqual(offered);
    else expect(found).toEqual(expect.arrayContaining(offered));
  });

  it('asks for the components of the terminal that was named', async () => {
    asked.length = 0;
    await words('restart', 'ha-lane-1', '');
    expect(asked).toEqual(['ha-lane-1']);
  });

  it('hands a shell no name that is not one', () => {
    expect(safeNames(['sale', '$(reboot)', 'a b', 'sale', '-x', 'ä'])).toEqual(['sale']);
  });

  it('tells what a word is about after a tab', () => {
    expect(suggestionLine({ word: 'a', about: 'b c' })).toBe('a\tb c');
    expect(suggestionLine({ word: ':files', about: '' })).toBe(':files');
  });
});
