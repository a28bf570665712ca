// `tillwatch config`: what the tills of the fleet run under, kept at the centre in versions. Applying shows the difference
// and how many it is about first, and asks for that number; what a version breaks, a till puts right by itself, and
// the rest is spared.

import type { Command } from 'commander';
import {
  example,
  JSON_WORDS,
  note,
  type Options,
  print,
  REASON,
  textOf,
  type Verb,
  withBroker,
} from './command.ts';
import type { ApplyWish } from './configurations/apply.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { addSelector, readSelector, type SelectorOption } from './selector.ts';

const SCOPES: readonly SelectorOption[] = ['terminal', 'store', 'label', 'region', 'all'];

/** The program's own --version is looked for anywhere in a line; behind `config show` it names one. */
export function readConfigVersion(argv: readonly string[]): readonly string[] {
  if (argv[0] !== 'config' || argv[1] !== 'show') return argv;
  return argv.map((word, at) => {
    if (word === '--version' && /^\d/.test(argv[at + 1] ?? '')) return '--number';
    return word.replace(/^--version=(?=.)/, '--number=');
  });
}

const startOf = (options: Options): Omit<ApplyWish, 'name'> => ({
  reason: textOf(options['reason']) ?? '',
  count: textOf(options['count']),
  wait: options['wait'] === true,
  lasts: textOf(options['lasts']),
});

const startable = (command: Command): Command =>
  command
    .option('--reason <text>', REASON)
    .option('--count <n>', 'terminals that get it now, as it is shown; for scripts')
    .option('--wait', 'stay until it is released or stopped')
    .option('--lasts <time>', 'so long those that go away meanwhile are waited for; 30m if not set')
    .option('--json', JSON_WORDS);

function addApply(config: Command, verb: Verb): void {
  const apply = config
    .command('apply')
    .argument('<name>', 'of the configuration, as in base or self-checkout')
    .argument('<file>', "YAML: the keys of a till's own file, without what a till decides alone")
    .description('check a new version, show the difference, and roll it out in waves');
  addSelector(apply, SCOPES).option('--ready <time>', 'so long a till may take until it is ready');
  example(
    startable(apply).action((name: string, file: string, options: Options) =>
      verb(async () => {
        const selector = readSelector(options, SCOPES);
        if (!selector.ok) return ended(EXIT.usage, selector.reason);
        const { runApply } = await import('./configurations/apply.ts');
        const wish = { name, ...startOf(options), selector: selector.value };
        const ready = textOf(options['ready']);
        return withBroker(options, (context) => runApply(context, file, { ...wish, ready }));
      }),
    ),
    'tillwatch config apply base base.yaml --all --reason T-500',
    'tillwatch config apply sco sco.yaml --label sco --reason T-501 --wait',
  );
}

function addRollback(config: Command, verb: Verb): void {
  const rollback = config
    .command('rollback')
    .argument('<name>', 'of the configuration')
    .description('roll an older version out again, as a new one')
    .option('--to <version>', 'its number; the last that was good if not set');
  example(
    startable(rollback).action((name: string, options: Options) =>
      verb(async () => {
        const { runRollback } = await import('./configurations/apply.ts');
        const wish = { name, ...startOf(options), to: textOf(options['to']) };
        return withBroker(options, (context) => runRollback(context, wish));
      }),
    ),
    'tillwatch config rollback base --reason "tills in Hamm do not get ready"',
  );
}

function addRemove(config: Command, verb: Verb): void {
  example(
    config
      .command('remove')
      .argument('<name>', 'of the configuration')
      .description('forget it; tills go on with it until another is meant for them')
      .option('--reason <text>', REASON)
      .option('--yes', 'do not ask, for scripts')
      .option('--json', JSON_WORDS)
      .action((name: string, options: Options) =>
        verb(async () => {
          const { runRemove } = await import('./configurations/show.ts');
          const wish = { reason: textOf(options['reason']) ?? '', yes: options['yes'] === true };
          return withBroker(options, (context) => runRemove(context, name, wish));
        }),
      ),
    'tillwatch config remove pilot --reason "the pilot is over"',
  );
}

function addLooks(config: Command, verb: Verb): void {
  example(
    config
      .command('show')
      .argument('<name>', 'of the configuration')
      .description('what is released, what rolls or was stopped and why; or the text of a version')
      .option('--number <version>', 'print the text of this version (or --version)')
      .option('--json', JSON_WORDS)
      .action((name: string, options: Options) =>
        verb(async () => {
          const { runShow } = await import('./configurations/show.ts');
          const number = textOf(options['number']);
          return withBroker(options, (context) => runShow(context, name, number));
        }),
      ),
    'tillwatch config show base',
    'tillwatch config show base --version 3 > base-3.yaml',
  );
  example(
    config
      .command('history')
      .argument('<name>', 'of the configuration')
      .description('its versions, the newest first')
      .option('--json', JSON_WORDS)
      .action((name: string, options: Options) =>
        verb(async () => {
          const { runHistory } = await import('./configurations/show.ts');
          return withBroker(options, (context) => runHistory(context, name));
        }),
      ),
    'tillwatch config history base',
  );
}

function addChecks(config: Command, verb: Verb): void {
  example(
    config
      .command('check')
      .argument('<file>', 'YAML')
      .description('check a file as the centre and the tills will; needs no broker')
      .option('--json', JSON_WORDS)
      .action((file: string, options: Options) =>
        verb(async () => {
          const { runCheck } = await import('./configurations/check.ts');
          return await runCheck(file, { print, json: options['json'] === true });
        }),
      ),
    'tillwatch config check base.yaml',
  );
  example(
    config
      .command('schema')
      .description('print the JSON Schema of such a file, for editors; needs no broker')
      .action(() =>
        verb(async (): Promise<Outcome> => {
          const { runSchema } = await import('./configurations/check.ts');
          return runSchema(print);
        }),
      ),
    'tillwatch config schema > fleet.schema.json',
  );
}

export function addConfigVerbs(program: Command, verb: Verb): void {
  const config = program
    .command('config')
    .description('what the tills run under: versions of it, applied in waves')
    .option('--json', JSON_WORDS)
    .action((options: Options) =>
      verb(async () => {
        const { runConfigurations } = await import('./configurations/show.ts');
        return withBroker(options, (context) => runConfigurations(context));
      }),
    );
  note(
    config,
    "A till's own file says who it is and where its folders are; the rest comes from here.",
    "Some settings of one till's agent, for a while: tillwatch configure.",
  );
  example(config, 'tillwatch config', 'tillwatch config apply base base.yaml --all --reason T-500');
  addApply(config, verb);
  addRollback(config, verb);
  addLooks(config, verb);
  addRemove(config, verb);
  addChecks(config, verb);
}
