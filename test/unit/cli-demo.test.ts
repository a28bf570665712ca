// The parts of the demo that can be held in the hand: its configurations are good ones by the programs'
// own readers, its programs are those that are built, and its lines fit the screen.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readOptions } from '../../agent/simulated/options.ts';
import {
  agentConfig,
  componentsOf,
  identityDirOf,
  type Place,
  simulateArguments,
  TILLS,
} from '../../cli/demo/plan.ts';
import { SOURCES } from '../../cli/demo/setup.ts';
import { createTeller, money, timeText } from '../../cli/demo/teller.ts';
import { plainStyle } from '../../cli/screen.ts';
import { recognise } from '../../cli/verbs/check-config.ts';
import { loadConfig as loadAgent } from '../../configuration/config.ts';

const place: Place = {
  folder: '/somewhere/.tillwatch',
  runRoot: '/tmp/tillwatch-abcdef',
  mark: '0123456789abcdef',
  command: (program, flags = []) => ['node', ...flags, `/somewhere/${program}.mjs`],
};

describe('the configurations of the demo', () => {
  it('are good by the agent’s own reader, with components that stop when the agent is asked to', () => {
    for (const till of TILLS) {
      const settings = { printerPort: 9100, scannerPort: 9102 };
      const text = stringify(agentConfig(place, till, settings));
      const loaded = loadAgent(text, '/');
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
      if (!loaded.ok) continue;
      expect(recognise(text)).toBe('agent');
      expect(loaded.config.onExit).toBe('stop');
      // What it connects with comes from its enrolment, which the demo puts where the agent looks.
      expect(loaded.config.broker.plainText).toBe(false);
      expect(loaded.config.identityDir).toBe(identityDirOf(place, till));
      expect(loaded.config.components.map(({ name }) => name)).toEqual(componentsOf(till));
      // By this mark a later demo finds what this one left.
      expect(loaded.config.components.map(({ env }) => env['POS_DEMO'])).toEqual(
        componentsOf(till).map(() => place.mark),
      );
    }
  });
});

describe('the simulated tills of the demo', () => {
  it('are started with arguments that their program takes', () => {
    expect(readOptions(simulateArguments(place, 50))).toMatchObject({
      ok: true,
      value: { terminals: 50, exitWithParent: true },
    });
  });
});

describe('the programs of the demo', () => {
  it('are those that cli/build.js builds', () => {
    const block =
      /const programs = \{([^}]*)\}/.exec(readFileSync('cli/build.js', 'utf8'))?.[1] ?? '';
    const built = [...block.matchAll(/(\w+): '([^']+)'/g)].map(([, name, path]) => [name, path]);
    expect(Object.fromEntries(built)).toEqual(SOURCES);
    expect(Object.values(SOURCES).filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe('the teller', () => {
  const tell = (json: boolean) => {
    const lines: string[] = [];
    return { lines, teller: createTeller((line) => lines.push(line), plainStyle, json) };
  };

  it('puts times into one column and breaks long lines below their text', () => {
    const { lines, teller } = tell(false);
    teller.at(2_314, 'suspected');
    teller.at(12_000, 'a long reason '.repeat(10));
    expect(lines[0]).toBe('     2.31 s  suspected');
    expect(lines[1]).toMatch(/^ {4}12\.00 s {2}a long/);
    expect(lines[2]).toMatch(/^ {13}\S/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('numbers its steps', () => {
    const { lines, teller } = tell(false);
    teller.heading('one');
    teller.heading('two');
    expect(lines).toEqual(['', '1. one', '', '2. two']);
  });

  it('speaks JSON lines when asked to', () => {
    const { lines, teller } = tell(true);
    teller.heading('one');
    teller.at(2_314.4, 'suspected');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { kind: 'heading', step: 1, text: 'one' },
      { kind: 'at', step: 1, text: 'suspected', ms: 2_314 },
    ]);
  });

  it('writes times and money as people read them', () => {
    expect([timeText(40), timeText(123_456), money(1_207)]).toEqual([
      '  0.04 s  ',
      '123.46 s  ',
      '12.07 EUR',
    ]);
  });
});
