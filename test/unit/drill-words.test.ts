// Drills around the agent: what a person reads of one, which words are completed, and what the fleet makes of a
// component that is broken on purpose.

import { describe, expect, it } from 'vitest';
import { complete } from '../../cli/completion/complete.ts';
import { plainStyle } from '../../cli/screen.ts';
import { createProgram } from '../../cli/tillwatch.ts';
import { endLines, listLines, runDrillHere, wrongWish } from '../../cli/verbs/drill.ts';
import { loadConfig } from '../../configuration/config.ts';
import { DRILL_FAULTS } from '../../protocol/commands.ts';
import type { DrillReport } from '../../protocol/drill.ts';

const REPORT: DrillReport = {
  ...{ drill: 'id', fault: 'deadlock', component: 'drill', state: 'passed' },
  verdict: 'found after 2.05 s, ready again after 2.30 s',
  steps: [{ atMs: 2_050, text: 'confirmed: hang' }],
  phases: { confirmed: 2_050, ready: 4_000 },
  target: { confirmed: 2_500, ready: 3_500 },
  leftBehind: { processes: [], held: [] },
  budget: { used: 1, of: 5 },
  numbers: {},
  expectations: [{ what: 'the failure is found', met: true }],
};
const end = (more: Partial<DrillReport>): string =>
  endLines({ ...REPORT, ...more }, plainStyle).join('\n');

describe('what a person reads of a drill', () => {
  it('tells times beside what they should be, and the verdict last', () => {
    const text = end({});
    expect(text).toContain('found after 2.05 s (within 2.50 s), ready after 4.00 s (more than');
    expect(text).toContain('left behind nothing');
    expect(text).toContain('1 of 5 restarts used');
    expect(text.split('\n').at(-1)).toMatch(/^passed: found after/);
  });

  it('names what is left, what was counted and what was not so', () => {
    const text = end({
      state: 'failed',
      leftBehind: { processes: [7, 8], held: ['port 21000'] },
      numbers: { droppedBytes: 124_300_000, children: 200 },
      expectations: [{ what: 'it is killed', met: false }],
    });
    expect(text).toContain('2 processes (7, 8); port 21000, for a while');
    expect(text).toContain('dropped 124.3 MB, children 200');
    expect(text).toContain('not so      it is killed');
  });

  it('fits into 80 columns', () => {
    for (const line of [...listLines(), ...end({ verdict: 'because '.repeat(40) }).split('\n')]) {
      expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(listLines()).toHaveLength(DRILL_FAULTS.length);
  });

  it('says what is wrong with a wish before anybody is asked', async () => {
    expect(wrongWish({ fault: '' })).toContain('--list');
    expect(wrongWish({ fault: 'deadlok' })).toContain('did you mean deadlock');
    expect(wrongWish({ fault: 'hang', component: 'sale' })).toContain('stop only');
    expect(wrongWish({ fault: 'stop', component: 'sale' })).toBeUndefined();
    const ask = () => Promise.reject(new Error('asked'));
    const context = { print: () => undefined, style: plainStyle, ask, json: false };
    expect((await runDrillHere(context, { fault: 'x' })).exit).toBe(64);
  });

  it('is completed: faults, and the names of terminals and components', async () => {
    const program = createProgram(() => Promise.resolve());
    const names = {
      terminals: () => Promise.resolve(['bm-lane-1']),
      stores: () => Promise.resolve([]),
      components: () => Promise.resolve(['sale']),
    };
    const words = async (...line: string[]) =>
      (await complete(program, line, names)).map(({ word }) => word);
    expect(await words('drill', '')).toEqual([...DRILL_FAULTS]);
    expect(await words('drill', 'lo')).toEqual(['log-flood']);
    expect(await words('drill', 'stop', '--component', '')).toEqual(['sale']);
    expect(await words('drill', 'stop', '--terminal', 'bm')).toEqual(['bm-lane-1']);
  });
});

it('no component of a configuration is called as what a drill breaks', () => {
  const text = 'terminal: l1\ndataDir: d\nrunDir: r\ncomponents: [{name: drill, command: [a]}]';
  const loaded = loadConfig(text, '/tmp');
  const told = loaded.ok ? [] : loaded.problems.map(({ path, sentence }) => `${path} ${sentence}`);
  expect(told).toEqual([
    expect.stringMatching(/^components\[0\]\.name is the name of what a drill/),
  ]);
});
