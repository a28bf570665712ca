// The operator's rules of the redactor in the agent's configuration: read, or refused with path and line.

import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { NO_RULES, readRules } from '../../redact/index.ts';
import { SMALL } from './config-small.ts';

function load(more: string) {
  const loaded = loadConfig(SMALL + more, '/etc/pos');
  return loaded.ok ? loaded.config.redaction.rules : loaded.problems.map(formatProblem);
}

describe('redaction in the configuration', () => {
  it('is the rules as the redactor reads them', () => {
    const rules = [
      { name: 'badge', kind: 'pattern', pattern: 'BADGE-[0-9]{6}' },
      { name: 'loyalty', kind: 'key', keys: ['loyalty_id'] },
    ];
    const read = readRules(rules);
    expect(load(`redaction:\n  rules: ${JSON.stringify(rules)}\n`)).toEqual(read.ok && read.rules);
  });

  it('may be left out', () => {
    expect(load('')).toEqual(NO_RULES);
    expect(load('redaction: {}\n')).toEqual(NO_RULES);
    expect(load('redaction:\n  rules: []\n')).toEqual(NO_RULES);
  });

  it('that is wrong is refused, all at once, each with path and line', () => {
    const problems = load(`redaction:
  colour: red
  rules:
    - { name: badge, kind: pattern, pattern: '[0-9]+' }
    - name: loyalty
      kind: key
      keys:
        - ok
        - 9
`);
    expect(problems).toEqual([
      'redaction.rules[0].pattern: has +, which knows no end: say how many, as in [0-9]{1,20} (line 11)',
      'redaction.rules[1].keys[1]: must be a key: a letter, then letters, digits, _ . - and a * at the end for any ending (line 16)',
      'redaction.colour: is not a key that belongs here; known are: rules (line 9)',
    ]);
    expect(load('redaction:\n  rules: 7\n')).toEqual([
      'redaction.rules: must be a list of rules (line 9)',
    ]);
  });
});
