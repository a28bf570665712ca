// How `tillwatch maintenance` is written on the command line: start, end and list, and recurring windows. What they do
// stands in verbs/maintenance.ts and verbs/maintenance-windows.ts.

import type { Command } from 'commander';
import {
  example,
  JSON_WORDS,
  note,
  type Options,
  REASON,
  textOf,
  type Verb,
  withBroker,
} from './command.ts';
import { EXIT, ended } from './exit.ts';
import { addSelector, readSelector, type SelectorOption } from './selector.ts';

const WHERE: readonly SelectorOption[] = ['store', 'region', 'label', 'all'];

/** `--terminal` is one here: a maintenance has one subject, which ending it names again. */
const whom = (command: Command): Command =>
  command
    .option('--store <store>', 'all terminals of this store')
    .option('--terminal <terminal>', 'this one');

function addStart(maintenance: Command, verb: Verb): void {
  example(
    whom(
      maintenance.command('start').description('watch and do not act for a while; ends by itself'),
    )
      .option('--for <time>', 'how long, 1m to 4h (needed); starting it again replaces it')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runStart } = await import('./verbs/maintenance.ts');
          const { store, terminal, reason } = options;
          const wish = { store: textOf(store), terminal: textOf(terminal) };
          const more = { time: textOf(options['for']), reason: textOf(reason) ?? '' };
          return withBroker(options, (context) => runStart(context, { ...wish, ...more }));
        }),
      ),
    'tillwatch maintenance start --store berlin --for 2h --reason "new floor"',
    'tillwatch maintenance start --terminal bm-lane-1 --for 30m --reason scanner',
  );
  example(
    whom(maintenance.command('end').description('end it before its time; own holds stay'))
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runEnd } = await import('./verbs/maintenance.ts');
          const { store, terminal, reason } = options;
          const wish = { store: textOf(store), terminal: textOf(terminal) };
          return withBroker(options, (context) =>
            runEnd(context, { ...wish, reason: textOf(reason) ?? '' }),
          );
        }),
      ),
    'tillwatch maintenance end --store berlin-mitte --reason "done early"',
  );
  example(
    maintenance
      .command('list')
      .description('those that run, and the newest that are over')
      .option('-n, --limit <n>', 'of those that are over, at most so many', '10')
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runList } = await import('./verbs/maintenance.ts');
          const limit = textOf(options['limit']) ?? '10';
          return withBroker(options, (context) => runList(context, limit));
        }),
      ),
    'tillwatch maintenance list',
  );
}

function addWindows(maintenance: Command, verb: Verb): void {
  const window = example(
    maintenance
      .command('window')
      .description('what is done again and again, in local time of stores'),
    'tillwatch maintenance window list',
  );
  example(
    addSelector(
      window
        .command('add')
        .argument('<name>', 'what it is called')
        .description('restart or reboot tills, or let them be watched only, at planned times'),
      WHERE,
    )
      .option('--at <days time>', 'as in "sun 03:00", "mon-fri 04:15", "daily 02:30" (needed)')
      .option('--for <time>', 'how long it may take, 1m to 4h (needed)')
      .option('--do <action>', 'restart-all, reboot or observe (needed)')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((name: string, _options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const selector = readSelector(options, WHERE);
          if (!selector.ok) return ended(EXIT.usage, selector.reason);
          const { runAdd } = await import('./verbs/maintenance-windows.ts');
          const { at, reason } = options;
          const wish = {
            ...{ name, selector: selector.value, at: textOf(at), time: textOf(options['for']) },
            ...{ action: textOf(options['do']), reason: textOf(reason) ?? '' },
          };
          return withBroker(options, (context) => runAdd(context, wish));
        }),
      ),
    'tillwatch maintenance window add weekly --all --at "sun 03:00" --for 1h \\\n      --do reboot --reason patches',
  );
  example(
    window
      .command('list')
      .description('which there are, when each begins next and what it did')
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runWindows } = await import('./verbs/maintenance-windows.ts');
          return withBroker(options, (context) => runWindows(context));
        }),
      ),
    'tillwatch maintenance window list',
  );
  example(
    window
      .command('remove')
      .argument('<name>', 'which')
      .description('end it; what it has begun goes on')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((name: string, _options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runRemove } = await import('./verbs/maintenance-windows.ts');
          const reason = textOf(options['reason']) ?? '';
          return withBroker(options, (context) => runRemove(context, name, reason));
        }),
      ),
    'tillwatch maintenance window remove weekly --reason "tills are replaced"',
  );
}

export function addMaintenanceVerbs(program: Command, verb: Verb): void {
  const maintenance = program
    .command('maintenance')
    .description('let watchdogs of a store or a till only watch, for a while or at planned times')
    .option('--json', JSON_WORDS)
    .action((options: Options) =>
      verb(async () => {
        const { runList } = await import('./verbs/maintenance.ts');
        return withBroker(options, (context) => runList(context, '10'));
      }),
    );
  note(
    maintenance,
    'It also mutes alerts and takes the tills out of the figures, and reaches those that come back meanwhile.',
    'Whoever stands at one till and only wants its watchdog to keep still: tillwatch hold.',
  );
  example(
    maintenance,
    'tillwatch maintenance',
    'tillwatch maintenance start --store berlin --for 2h --reason "new floor"',
  );
  addStart(maintenance, verb);
  addWindows(maintenance, verb);
}
