// The verbs that ask a broker or give it work: which there are, what they take, and an example of each.

import type { Command } from 'commander';
import { example, type Options, type Verb, withBroker } from './command.ts';
import { addCommandVerbs } from './command-verbs.ts';
import { addCommandsVerb } from './commands-verb.ts';
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
  addCommandVerbs(program, verb);
  addCommandsVerb(program, verb);
  addLogsVerb(program, verb);
}
