// How `tillwatch errors` is written on the command line; what it does stands in verbs/errors.ts.

import type { Command } from 'commander';
import { example, type Options, textOf, type Verb, withBroker } from './command.ts';

/**
 * The program's own --version is looked for anywhere in a line; behind this verb, with a value, it means --runs, as
 * the filter is called in the API.
 */
export function readVersion(argv: readonly string[]): readonly string[] {
  if (argv[0] !== 'errors') return argv;
  return argv.map((word, at) => {
    if (word === '--version' && /^[^-]/.test(argv[at + 1] ?? '')) return '--runs';
    return word.replace(/^--version=(?=.)/, '--runs=');
  });
}

export function addErrorsVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('errors')
      .description('kinds of warnings and errors in the fleet, new and growing ones first')
      .option('--since <when>', '10m, 2h, 7d, 14:30 or "2026-11-23 14:30"', '24h')
      .option('--until <when>', 'the same; now if not given')
      .option('--runs <version>', 'only of components of this version (or --version)')
      .option('--store <id>', 'only of the terminals of this store')
      .option('-c, --component <name>', 'only of this component')
      .option('--terminal <id>', 'only of this terminal')
      .option('-l, --level <level>', 'only error, or only warn')
      .option('--new', 'only what the fleet had never before')
      .option('-n, --limit <n>', 'at most so many', '20')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runErrors } = await import('./verbs/errors.ts');
          const { since, until, runs, store, component, terminal, level, limit } = options;
          return withBroker(options, (context) =>
            runErrors(context, {
              ...{ since: textOf(since) ?? '24h', until: textOf(until), version: textOf(runs) },
              ...{ store: textOf(store), component: textOf(component), level: textOf(level) },
              ...{ terminal: textOf(terminal), limit: textOf(limit) ?? '20' },
              onlyNew: options['new'] === true,
            }),
          );
        }),
      ),
    'tillwatch errors --since 2h --new',
    'tillwatch errors --runs 2.5.0 --level error',
  );
}
