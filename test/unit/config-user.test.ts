// As which user a component runs, as the configuration says it.

import { expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';

const load = (component: string) => {
  const text = `terminal: lane-1\ndataDir: d\nrunDir: r\ncomponents:\n  - { name: a, ${component} }\n`;
  return loadConfig(text, '/etc');
};
const problems = (component: string): string => {
  const loaded = load(component);
  return loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n');
};

it('is a name, and the group another one', () => {
  const loaded = load('command: [x], user: pos, group: lp');
  const [first] = loaded.ok ? loaded.config.components : [];
  expect([first?.user, first?.group]).toEqual(['pos', 'lp']);
});

it.each([
  ['command: [x], user: 1000', 'user'],
  ["command: [x], user: '1000'", 'must be a user of the till, by name'],
  ["command: [x], user: '-u'", 'must be a user of the till, by name'],
  ["command: [x], user: 'a b'", 'must be a user of the till, by name'],
  ['command: [x], user: $(id)', 'must be a user of the till, by name'],
  ["command: [x], user: ''", 'must be a user, not empty'],
  ['command: [x], group: lp', 'belongs to a user: say user, too'],
  ['run: external, external: { pid: { file: /p } }, user: pos', 'what starts it says as whom'],
])('is refused as %s', (component, sentence) => {
  expect(problems(component)).toContain(sentence);
});
