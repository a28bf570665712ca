// How `tillwatch sinks` is written on the command line; what it does stands in verbs/sinks.ts.

import type { Command } from 'commander';
import { example, type Options, type Verb, withBroker } from './command.ts';

export function addSinksVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('sinks')
      .description('the databases that the broker writes to: up, behind, dead letters')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runSinks } = await import('./verbs/sinks.ts');
          return withBroker(options, (context) => runSinks(context));
        }),
      ),
    'tillwatch sinks',
    'tillwatch sinks --json',
  );
}
