// The verbs that ask a broker or give it work: which there are, what they take, and an example of each.

import type { Command } from 'commander';
import { example, type Options, type Verb, withBroker } from './command.ts';
import { addLogsVerb } from './logs-verb.ts';

export function addQuestions(program: Command, verb: Verb) {
  example(
    program
      .command('fleet')
      .description('how many terminals there are, which versions run, who needs help')
      .option('--all', 'list every terminal, not only the worst of a large fleet')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runFleet } = await import('./verbs/fleet.ts');
          return withBroker(options, (context) => runFleet(context, options));
        }),
      ),
    'tillwatch fleet',
    'TILLWATCH_URL=http://127.0.0.1:8081 tillwatch fleet --json',
  );
  example(
    program
      .command('terminal')
      .argument('<id>', 'the terminal, for example bm-lane-1')
      .description('one terminal: what runs there, since when, what happened')
      .option('--history <metric>', 'how one of its metrics went, for example pos_host_cpu_ratio')
      .option('--since <when>', 'with --history: from then on', '1d')
      .option('--json', 'print one JSON object')
      .action((id: string, options: Options) =>
        verb(async () => {
          if (typeof options['history'] === 'string') {
            const { runHistory } = await import('./verbs/history.ts');
            const ask = { name: options['history'], since: String(options['since']) };
            return withBroker(options, (context) => runHistory(context, id, ask));
          }
          const { runTerminal } = await import('./verbs/terminal.ts');
          return withBroker(options, (context) => runTerminal(context, id));
        }),
      ),
    'tillwatch terminal bm-lane-1',
    'tillwatch terminal bm-lane-1 --history pos_host_load1 --since 6h',
  );
  example(
    program
      .command('restart')
      .argument('<terminal>', 'the terminal, for example bm-lane-1')
      .argument('<component>', 'the component, for example sync')
      .description('restart a component; waits while it is in the middle of a sale')
      // Not a required option of Commander's, which would hide that one is only misspelt.
      .option('--reason <text>', 'why: it stands in the audit log (needed)')
      .option('--no-wait', 'do not wait for the result')
      .option('--force', 'also in the middle of a sale: what it is doing is lost')
      .option('--json', 'print one JSON object')
      .action((terminal: string, component: string, options: Options) =>
        verb(async () => {
          const { runRestart } = await import('./verbs/restart.ts');
          const reason = String(options['reason'] ?? '');
          const wait = options['wait'] !== false;
          const force = options['force'] === true;
          return withBroker(options, (context) =>
            runRestart(context, terminal, component, { reason, wait, force }),
          );
        }),
      ),
    'tillwatch restart bm-lane-2 sync --reason "uploads are stuck"',
  );
  addLogsVerb(program, verb);
}
