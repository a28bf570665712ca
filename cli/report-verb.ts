// How `tillwatch report` is written on the command line: one verb with the reports below it.

import type { Command } from 'commander';
import { example, type Options, textOf, type Verb, withBroker } from './command.ts';

export function addReportVerb(program: Command, verb: Verb): void {
  const report = example(
    program.command('report').description('what the fleet adds up to over a time; see its --help'),
    'tillwatch report would-have-acted --since 7d --json',
  );
  example(
    report
      .command('would-have-acted')
      .description('what watchdogs in observe decided and did not do')
      .option('--since <when>', '10m, 2h, 7d, 14:30 or "2026-11-23 14:30"', '7d')
      .option('--terminal <id>', 'only of this terminal')
      .option('--store <id>', 'only of the terminals of this store')
      .option('-c, --component <name>', 'only of this component')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runWouldHaveActed } = await import('./verbs/would-have-acted.ts');
          const { terminal, store, component, since } = options;
          return withBroker(options, (context) =>
            runWouldHaveActed(context, {
              since: textOf(since) ?? '7d',
              ...{ terminal: textOf(terminal), store: textOf(store) },
              component: textOf(component),
            }),
          );
        }),
      ),
    'tillwatch report would-have-acted --since 7d',
  );
}
