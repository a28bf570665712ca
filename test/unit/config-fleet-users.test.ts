// As whom a document of the fleet may run something: never as root, unless the till's own file says so.

import { describe, expect, it } from 'vitest';
import { rootsIn } from '../../agent/deeds/apply.ts';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { readDocument } from '../../configuration/fleet.ts';

const OWN = 'terminal: lane-1\ndataDir: d\nrunDir: r\n';
const document = (more: string): string => `components:\n  - { name: a, command: [x], ${more} }\n`;
const problems = (bounds: string, more: string): string => {
  const loaded = loadConfig(`${OWN}${bounds}`, '/etc', document(more));
  return loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n');
};
const ROOT =
  "components[0].user: may not be root in a document: the till's own file does not list root in bounds.users (line 2 of the document)";

describe('a document that says as whom something runs', () => {
  it.each([
    ['anybody but root', '', 'user: pos, group: lp', ''],
    ['root', '', 'user: root', ROOT],
    [
      "root's group",
      '',
      'user: pos, group: root',
      ROOT.replace('.user', '.group').replace('be root', "be root's group"),
    ],
    ['root, where the till lists it', 'bounds: { users: [root] }\n', 'user: root', ''],
    ['one whom the till lists', 'bounds: { users: [pos] }\n', 'user: pos', ''],
    [
      'one whom the till does not list',
      'bounds: { users: [pos, kiosk] }\n',
      'user: sync',
      "components[0].user: the till's own file lets a document name pos, kiosk (bounds.users) and not sync (line 2 of the document)",
    ],
    [
      'anybody, where the till lists nobody',
      'bounds: { users: [] }\n',
      'user: pos',
      "components[0].user: the till's own file lets a document name nobody (bounds.users) and not pos (line 2 of the document)",
    ],
  ])('%s', (_, bounds, more, sentence) => {
    expect(problems(bounds, more)).toBe(sentence);
  });

  it("binds no component of the till's own file", () => {
    const own = `${OWN}components: [{ name: a, command: [x], user: root }]\n`;
    expect(loadConfig(own, '/etc', 'mode: observe\n').ok).toBe(true);
    expect(loadConfig(own, '/etc').ok).toBe(true);
  });

  it('is good at the centre, which says that most tills refuse it', () => {
    const read = readDocument(document('user: root'));
    expect(read.ok && read.notices.map(formatProblem)).toEqual([
      'components[0].user: is root: a till refuses the document unless its own file lists root in bounds.users (line 2)',
    ]);
    const plain = readDocument(document('user: pos'));
    expect(plain.ok && plain.notices).toEqual([]);
  });

  it('finds root under another name of it', () => {
    const passwd = 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\npos:x:1000:0::/:/bin/sh\n';
    const loaded = loadConfig(OWN, '/etc', document('user: toor'));
    if (!loaded.ok) throw new Error('wrong');
    const { config } = loaded;
    expect(rootsIn(config, passwd).map(formatProblem)).toEqual([
      "components[0].user: toor is root on this till, which the till's own file does not list in bounds.users",
    ]);
    expect(rootsIn({ ...config, bounds: { ...config.bounds, users: ['toor'] } }, passwd)).toEqual(
      [],
    );
    expect(rootsIn(config, undefined)).toEqual([]);
  });
});
