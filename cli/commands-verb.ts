// `tillwatch commands`: what was asked of terminals and what became of it; `tillwatch cancel ID`: takes back what no
// terminal has taken yet.

import type { Command } from 'commander';
import { example, type Options, textOf, type Verb, withBroker } from './command.ts';

export function addCommandsVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('commands')
      .description('what terminals were asked to do, and what became of it')
      .option('--terminal <terminal>', 'only of this one')
      .option('--state <state>', 'only in this state, for example pending or failed')
      .option('--limit <n>', 'the newest so many', '20')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runCommands } = await import('./verbs/commands.ts');
          const { terminal, state, limit } = options;
          const filter = { terminal: textOf(terminal), state: textOf(state), limit: String(limit) };
          return withBroker(options, (context) => runCommands(context, filter));
        }),
      ),
    'tillwatch commands --terminal bm-lane-1',
    'tillwatch commands --state pending --json',
  );
  example(
    program
      .command('cancel')
      .argument('<command>', 'its id, as "tillwatch commands" shows it')
      .description('take a command back that its terminal has not taken yet')
      .option('--reason <text>', 'why: it stands in the audit log (needed)')
      .option('--json', 'print one JSON object')
      .action((id: string, options: Options) =>
        verb(async () => {
          const { runCancel } = await import('./verbs/commands.ts');
          const reason = textOf(options['reason']) ?? '';
          return withBroker(options, (context) => runCancel(context, id, reason));
        }),
      ),
    'tillwatch cancel 2f1d7c4e-8f0a-4a5e-9d3b-0c1b2a394857 --reason "wrong till"',
  );
}
