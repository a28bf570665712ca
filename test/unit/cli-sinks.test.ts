// How the databases that a broker writes to are, on the screen of whoever misses something in one.

import { describe, expect, it } from 'vitest';
import type { Client } from '../../cli/client.ts';
import { complete } from '../../cli/completion/complete.ts';
import type { Context } from '../../cli/context.ts';
import { plainStyle } from '../../cli/screen.ts';
import { createProgram } from '../../cli/tillwatch.ts';
import { runSinks, type SinksAnswer } from '../../cli/verbs/sinks.ts';

const NOW = Date.UTC(2026, 10, 23, 3);
const sink = {
  ...{ name: 'metrics', kind: 'remote_write', url: 'http://db:9090/write', up: true },
  ...{ behindBatches: 0, behindSeconds: 0, taken: 1_204_000, lastError: '', sentences: [] },
} as const;
const down = {
  ...{ ...sink, name: 'logs', kind: 'loki', up: false, behindBatches: 40, behindSeconds: 125 },
  ...{ taken: 7, lastError: 'connect ECONNREFUSED', sentences: ['set allow_structured_metadata'] },
} as const;
const letter = {
  ...{ sink: 'logs', terminal: 'bm-lane-1', reason: 'too_old', sentence: 'entry too far behind' },
  ...{ sample: '', count: 3, firstMs: NOW - 9e6, lastMs: NOW - 120_000 },
};

async function run(answer: SinksAnswer, json = false) {
  const lines: string[] = [];
  const asked: string[] = [];
  const get = (path: string) => {
    asked.push(path);
    return Promise.resolve({ ok: true, value: answer });
  };
  const context: Context = {
    print: (line) => lines.push(line),
    ...{ style: plainStyle, client: { get } as unknown as Client, nowMs: () => NOW, json },
    sleep: () => Promise.resolve(),
  };
  return { outcome: await runSinks(context), lines, asked };
}

describe('tillwatch sinks', () => {
  it('shows which are up, how far behind, what they took and what they never will', async () => {
    const fresh = { ...sink, name: 'traces', kind: 'traces', up: null, taken: 0 } as const;
    const letters = [letter, { ...letter, count: 4, lastMs: NOW - 9e6 }];
    const { lines, asked } = await run({ sinks: [sink, down, fresh], deadLetters: letters });
    expect(asked).toEqual(['/api/v1/sinks']);
    expect(lines).toEqual([
      'SINK     KIND          STATE          BEHIND      TAKEN  DEAD LETTERS',
      'metrics  remote_write  up                  -  1 204 000             0',
      'logs     loki          down            2 min          7             7',
      '    last error: connect ECONNREFUSED',
      '    set allow_structured_metadata',
      '    newest dead letter, 2 min ago, of bm-lane-1: too_old: entry too far behind',
      'traces   traces        not asked yet       -          0             0',
    ]);
  });

  it('says that there are none, where none is configured', async () => {
    const { lines } = await run({ sinks: [], deadLetters: [] });
    expect(lines).toEqual(['This broker forwards nothing: no sink is configured.']);
  });

  it('lets nothing that a database said move the cursor', async () => {
    const { lines } = await run({
      sinks: [{ ...down, lastError: 'a\u001b[2Jb' }],
      deadLetters: [{ ...letter, sentence: 'c\u001b[2Jd' }],
    });
    expect(lines.join('\n')).not.toContain('\u001b');
  });

  it('prints one JSON object', async () => {
    const answer = { sinks: [down], deadLetters: [letter] };
    const { lines } = await run(answer, true);
    expect(JSON.parse(lines.join('\n'))).toEqual(answer);
  });

  it('is completed', async () => {
    const names = { terminals: async () => [], stores: async () => [], components: async () => [] };
    const found = await complete(
      createProgram(async () => {}),
      ['sin'],
      names,
    );
    expect(found).toMatchObject([{ word: 'sinks' }]);
    const options = await complete(
      createProgram(async () => {}),
      ['sinks', '--j'],
      names,
    );
    expect(options).toMatchObject([{ word: '--json' }]);
  });
});
