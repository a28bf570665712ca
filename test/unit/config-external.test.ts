// What fits together in a component that something else starts, and in its probes, told with path and sentence.

import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../configuration/config.ts';

const FOLDER = '/etc/pos';
const load = (component: object) =>
  loadConfig(
    stringify({
      terminal: 'lane-1',
      dataDir: 'data',
      runDir: 'run',
      components: [{ name: 'front', ...component }],
    }),
    FOLDER,
  );
const problems = (component: object): Record<string, string> => {
  const loaded = load(component);
  const all = loaded.ok ? [] : loaded.problems;
  return Object.fromEntries(
    all.map(({ path, sentence }) => [
      path.replace('components[0].', ''),
      sentence.replace(/ \(line \d+\)$/, ''),
    ]),
  );
};
const external = { pid: { file: 'front.pid' } };

describe('a component that something else starts', () => {
  it('needs to be found, and nothing else; it has no channel, and files lie beside the configuration', () => {
    const probes = [
      { kind: 'log', path: 'logs/front.log', failOn: 'FATAL' },
      { kind: 'file', path: '/run/alive', ageMsMax: 5_000 },
    ];
    const loaded = load({ run: 'external', external, probes });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    expect(loaded.config.components[0]).toMatchObject({
      channel: false,
      cwd: FOLDER,
      external: { pid: { file: '/etc/pos/front.pid' } },
      probes: [{ path: '/etc/pos/logs/front.log' }, { path: '/run/alive' }],
    });
    expect(problems({ run: 'external' })).toEqual({
      external: 'is missing: how to find it (pid), and how to start and stop it',
    });
  });

  it('is refused what only a process with our environment can have', () => {
    const impossible = { command: ['pos'], witness: true, channel: true };
    const probes = [{ kind: 'log', silenceMs: 5_000 }];
    const cannot = 'cannot be: a component that is not started here gets no environment';
    expect(problems({ run: 'external', external, ...impossible, probes })).toEqual({
      command: 'is not used with run: external; see external.start',
      witness: cannot,
      channel: cannot,
      'probes[0].path': 'is missing: what is not started here has no output file of ours',
    });
  });
});

describe('a component that we start', () => {
  it('needs a command, keeps its channel and has no use for commands of another', () => {
    expect(problems({})).toEqual({ command: 'is missing' });
    expect(problems({ command: ['pos'], external })).toEqual({
      external: 'belongs to a component with run: external',
    });
    const loaded = load({ command: ['pos'] });
    expect(loaded.ok && loaded.config.components[0]?.channel).toBe(true);
  });

  it('is asked for what its log probe looks for', () => {
    expect(problems({ command: ['pos'], probes: [{ kind: 'log' }] })).toEqual({
      'probes[0]': 'looks for nothing: give it failOn, expect or silenceMs',
    });
  });
});
