// A document of the fleet's configuration: read strictly, without what a till decides alone, and laid over its own file.

import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { LOCAL_KEYS, readDocument } from '../../configuration/fleet.ts';
import { agentSchema } from '../../configuration/schema.ts';
import { SMALL } from './config-small.ts';

const BARE = SMALL.slice(0, SMALL.indexOf('components:'));
const TWO = `mode: observe
sampling: { everyMs: 5000 }
components:
  - { name: hardware, command: [hardware] }
  - { name: sale, command: [./sale], cwd: bin, after: [hardware] }
`;
const problemsOf = (text: string): string[] => {
  const read = readDocument(text);
  return read.ok ? [] : read.problems.map(formatProblem);
};
const load = (own: string, document?: string) => {
  const loaded = loadConfig(own, '/etc/pos', document);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.config;
};

describe('a document', () => {
  it('is read with the defaults of the file, and says only what it names', () => {
    const read = readDocument(TWO);
    if (!read.ok) throw new Error('refused');
    expect(Object.keys(read.value).toSorted()).toEqual(['components', 'mode', 'sampling']);
    expect(read.value.sampling).toEqual({ everyMs: 5_000, sendMs: 60_000, seriesMax: 150 });
    expect(read.value.components?.[1]).toMatchObject({ name: 'sale', beatMs: 500 });
  });

  it('leaves to the till who it is, whom it believes and what it allows', () => {
    // As words, not as the list has them: a key that drops out of the list is one that a centre may change.
    const words = [
      'terminal',
      'broker',
      'trust',
      'bounds',
      'identityDir',
      'watchdogDevice',
      'onExit',
    ];
    for (const key of [...words, 'dataDir', 'runDir', 'logDir']) expect(LOCAL_KEYS).toContain(key);
  });

  it.each(LOCAL_KEYS)('may not say %s: that is for the till alone', (key) => {
    expect(problemsOf(`mode: act\n${key}: x\n`)).toEqual([
      `${key}: stands in the till's own file alone: leave it out of the document (line 2)`,
    ]);
  });

  it('knows every other key of the file, and no further one', () => {
    const keys = Object.keys(agentSchema.pipe[0].entries);
    const rest = keys.filter((key) => !LOCAL_KEYS.some((local) => local === key));
    const [told] = problemsOf('colour: red\n');
    expect(told).toBe(
      `colour: is not a key that belongs here; known are: ${rest.join(', ')} (line 1)`,
    );
  });

  it('switches drills off, never on', () => {
    expect(problemsOf('drills: false\n')).toEqual([]);
    expect(problemsOf('drills: true\n')).toEqual([
      'drills: must be false: drills can only be switched off from afar (line 1)',
    ]);
  });

  it('is told all its problems at once, each with its line', () => {
    const text = `terminal: lane-1
sampling: { everyMs: 60000, sendMs: 10 }
components:
  - { name: sale, command: [sale], after: [cellar] }
  - { name: sale, command: [] }
`;
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^terminal: stands in .*line 1\)$/),
      expect.stringMatching(/^sampling\.sendMs: .*from 100 to .*line 2\)$/),
      expect.stringMatching(/^components\[1\]\.command: must begin .*line 5\)$/),
      expect.stringMatching(/^components\[1\]\.name: "sale" is the name .*line 5\)$/),
      expect.stringMatching(/^components\[0\]\.after\[0\]: no component .*line 4\)$/),
      expect.stringMatching(/^sampling\.everyMs: must not be more .*line 2\)$/),
    ]);
  });

  it.each([
    ['', 'the file is empty'],
    ['# nothing\n', 'the file is empty'],
    ['- mode\n', 'the document must hold keys with their values, as in `mode: act`'],
    ['{}\n', 'the document says nothing'],
    ['components: []\n', 'components: must name at least one component to watch (line 1)'],
    ['mode: act\n---\nmode: act\n', 'the file holds more than one YAML document'],
  ])('%j is none', (text, sentence) => {
    expect(problemsOf(text)).toEqual([sentence]);
  });
});

describe('a till with a document', () => {
  it('takes each key of the document whole, and the rest from its own file', () => {
    const own = `${SMALL}sampling: { sendMs: 30000 }\nlink: { reconnectMsMin: 77 }\n`;
    const config = load(own, TWO);
    expect(config.sampling).toEqual({ everyMs: 5_000, sendMs: 60_000, seriesMax: 150 });
    expect(config.link.reconnectMsMin).toBe(77);
    expect(config.mode).toBe('observe');
    expect(config.components.map(({ name }) => name)).toEqual(['hardware', 'sale']);
    expect(config.terminal).toBe(load(SMALL).terminal);
  });

  it('finds relative paths of the document from where its own file lies', () => {
    expect(load(BARE, TWO).components.map(({ cwd }) => cwd)).toEqual(['/etc/pos', '/etc/pos/bin']);
  });

  it('needs no components of its own, and watches nothing until it gets a document', () => {
    expect(load(BARE).components).toEqual([]);
    expect(load(BARE, TWO).components).toHaveLength(2);
    expect(load(SMALL, 'mode: observe\n').components).toEqual(load(SMALL).components);
  });

  it('is told which of the two is wrong', () => {
    const loaded = loadConfig(`${BARE}mode: red\n`, '/etc/pos', 'mode: act\ndrills: true\n');
    expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([
      'mode: must be one of: act, observe (line 5)',
      'drills: must be false: drills can only be switched off from afar (line 2 of the document)',
    ]);
  });
});
