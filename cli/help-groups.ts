// In which order and under which headings `tillwatch --help` lists its verbs: by what a person wants to do, from the first
// day to the ones after it. One list, because verbs are added where their code is, an order in which nobody looks for
// them. A test says which verb stands in no group, or in two.

import { type Command, Help } from 'commander';

export const GROUPS: readonly (readonly [heading: string, verbs: readonly string[]])[] = [
  ['Try it:', ['demo']],
  ['Run a broker or an agent:', ['broker', 'join', 'agent', 'check-config', 'doctor']],
  ['Sign in:', ['login', 'logout', 'contexts', 'operators']],
  ['Set a fleet up and change it:', ['stores', 'enroll', 'config', 'target', 'maintenance']],
  [
    'Look at a fleet:',
    ['fleet', 'terminal', 'events', 'errors', 'logs', 'requests', 'report', 'sinks', 'audit'],
  ],
  [
    'Ask one terminal for something, or many:',
    [
      ...['restart', 'stop', 'start', 'restart-all', 'reboot', 'probe', 'diagnose'],
      ...['unquarantine', 'reset-budget', 'reopen', 'release', 'log-level', 'configure'],
      ...['purge-logs', 'bulk', 'commands', 'cancel'],
    ],
  ],
  ['On a till:', ['status', 'hold', 'drill', 'redact']],
  ['More:', ['completion', 'help']],
];
const ORDER = GROUPS.flatMap(([, verbs]) => verbs);

/** @param program that has all its verbs already. */
export function groupVerbs(program: Command): void {
  program.commandsGroup('More:').helpCommand('help [command]', 'display help for command');
  for (const [heading, verbs] of GROUPS) {
    for (const one of program.commands.filter((verb) => verbs.includes(verb.name()))) {
      one.helpGroup(heading);
    }
  }
}

const help = new Help();
/** For `configureHelp`: of the program in this order; what is below a verb stands as it was added. */
export const inOrder: Partial<Help> = {
  visibleCommands: (command) => {
    const verbs = help.visibleCommands(command);
    if (command.parent !== null) return verbs;
    return verbs.toSorted((a, b) => ORDER.indexOf(a.name()) - ORDER.indexOf(b.name()));
  },
  // Commander's own has the headings in the order in which verbs were added.
  groupItems: (_added, visible, groupOf) => Map.groupBy(visible, groupOf),
};
