// How `tillwatch stores` is written on the command line: what stores there are, and the file that says it. What they do
// stands in verbs/stores.ts and verbs/stores-apply.ts.

import type { Command } from 'commander';
import {
  example,
  JSON_WORDS,
  note,
  type Options,
  textOf,
  type Verb,
  withBroker,
} from './command.ts';
import { EXIT, ended } from './exit.ts';
import { addSelector, readSelector } from './selector.ts';

function addApply(stores: Command, verb: Verb): void {
  example(
    note(
      stores
        .command('apply')
        .argument('<file>', 'what stores there are: YAML, or a table that ends in .csv')
        .description('show what a file changes, ask, and apply it')
        .option('--prune', 'also forget stores that are not in the file; their terminals stay')
        .option('--dry-run', 'show it and change nothing')
        .option('--all', 'show every line of it')
        .option('--yes', 'do not ask; for scripts')
        .option('--reason <text>', 'why: it stands in the audit log (needed to apply)')
        .option('--json', JSON_WORDS)
        .action((file: string, _options: Options, command: Command) =>
          verb(async () => {
            const options: Options = command.optsWithGlobals();
            const { runApply } = await import('./verbs/stores-apply.ts');
            const { prune, dryRun, yes, all, reason } = options;
            const wish = { file, reason: textOf(reason) ?? '', prune: prune === true };
            const how = { isDry: dryRun === true, isYes: yes === true, isWhole: all === true };
            return withBroker(options, (context) => runApply(context, { ...wish, ...how }));
          }),
        ),
      'A table has one row a store; its columns are id, region, time_zone, and where wanted name, mon to sun',
      '(as in 08:00-20:00), exceptions, lanes, labels and terminals.',
    ),
    'tillwatch stores apply stores.yaml --dry-run',
    'tillwatch stores apply stores.yaml --reason "two new stores in the north"',
    'tillwatch stores apply stores.csv --yes --reason "nightly import"',
  );
}

export function addStoreVerbs(program: Command, verb: Verb): void {
  const stores = example(
    addSelector(
      program
        .command('stores')
        .description('stores: open now, lanes expected and selling; apply a file of them'),
      ['region'],
    )
      .option('--json', JSON_WORDS)
      .action((options: Options) =>
        verb(async () => {
          const selector = readSelector(options, ['region']);
          if (!selector.ok) return ended(EXIT.usage, selector.reason);
          const { runStores } = await import('./verbs/stores.ts');
          return withBroker(options, (context) => runStores(context, selector.value?.region));
        }),
      ),
    'tillwatch stores',
    'tillwatch stores apply stores.yaml --reason "two new stores in the north"',
  );
  example(
    stores
      .command('show')
      .argument('<store>', 'which, for example berlin-mitte')
      .description('one store: its hours, what is expected there, its terminals')
      .option('--json', JSON_WORDS)
      .action((id: string, _options: Options, command: Command) =>
        verb(async () => {
          const { runStore } = await import('./verbs/stores.ts');
          return withBroker(command.optsWithGlobals(), (context) => runStore(context, id));
        }),
      ),
    'tillwatch stores show berlin-mitte',
  );
  addApply(stores, verb);
  example(
    stores
      .command('export')
      .description('all stores as a file that apply takes')
      .option('-o, --output <file>', 'write it there; a table when it ends in .csv')
      .option('--csv', 'a table')
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const { runExport } = await import('./verbs/stores-export.ts');
          const options: Options = command.optsWithGlobals();
          const how = { output: textOf(options['output']), isCsv: options['csv'] === true };
          return withBroker(options, (context) => runExport(context, how));
        }),
      ),
    'tillwatch stores export -o stores.yaml',
  );
}
