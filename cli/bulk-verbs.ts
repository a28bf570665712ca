// `tillwatch bulk`: one command for many terminals. Planned first, which shows and freezes the list; then started with
// the number that was shown; paused, gone on with and aborted by whoever is on call.

import type { Command } from 'commander';
import { COMMAND_KINDS, type CommandKind, catalogue } from '../protocol/catalogue.ts';
import {
  example,
  JSON_WORDS,
  type Options,
  REASON,
  textOf,
  type Verb,
  withBroker,
} from './command.ts';
import { canForce, readArguments } from './command-fields.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { didYouMean } from './nearest.ts';
import { addSelector, readSelector } from './selector.ts';

export const BULK_KINDS: readonly CommandKind[] = COMMAND_KINDS.filter(
  // Its content is kept in versions: tillwatch config apply.
  (kind) => catalogue[kind].bulk && kind !== 'apply',
);
const verbOf = (kind: CommandKind): string => kind.replaceAll('_', '-');

async function plan(action: string, words: readonly string[], options: Options): Promise<Outcome> {
  const kind = BULK_KINDS.find((one) => verbOf(one) === action);
  if (kind === undefined) {
    const verbs = BULK_KINDS.map(verbOf);
    const sentence = `"${action}" is nothing for many terminals: use one of ${verbs.join(', ')}`;
    return ended(EXIT.usage, sentence + didYouMean(action, verbs));
  }
  if (options['force'] === true && !canForce(kind)) {
    return ended(EXIT.usage, `${action} knows no --force: it waits for nothing`);
  }
  const { runPlan } = await import('./verbs/bulk.ts');
  return withBroker(options, async (context) => {
    const args = readArguments(kind, words, options, context.nowMs());
    if (!args.ok) return ended(EXIT.usage, args.reason);
    const selector = readSelector(options);
    if (!selector.ok) return ended(EXIT.usage, selector.reason);
    const { reason, lasts } = options;
    const asked = { kind, arguments: args.value, selector: selector.value ?? {} };
    const wish = { ...asked, reason: textOf(reason) ?? '' };
    return await runPlan(context, { ...wish, lasts: textOf(lasts) });
  });
}

function addPlan(bulk: Command, verb: Verb): void {
  example(
    addSelector(
      bulk
        .command('plan')
        .argument('<action>', BULK_KINDS.map(verbOf).join(', '))
        .argument('[words...]', 'what it is about, for example a component')
        .description('freeze the list of terminals and show it; nothing is done yet'),
    )
      .option('--lasts <time>', 'so long those that are away are waited for, as in 4h')
      .option('--for <time>', 'of a hold: how long')
      .option('--file <file>', 'of configure: the settings, YAML')
      .option('--force', 'also in the middle of a sale: what it is doing is lost')
      .option('--reason <text>', 'why; needed when it is started, at the latest')
      .option('--json', JSON_WORDS)
      .action((action: string, words: string[], options: Options) =>
        verb(() => plan(action, words, options)),
      ),
    'tillwatch bulk plan restart sale --runs sale:2.4.1 --reason T-490',
    'tillwatch bulk plan restart sync --region north --label pilot --reason T-490',
  );
}

function addStart(bulk: Command, verb: Verb): void {
  example(
    bulk
      .command('start')
      .argument('<bulk>', 'its id, as the plan shows it')
      .description('start what was planned; asks for the words where it is dangerous')
      .option('--count <n>', 'terminals in the list, as the plan shows it (needed)')
      .option('--confirm <words>', 'the words that are asked for, for scripts')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((id: string, options: Options) =>
        verb(async () => {
          const { runStart } = await import('./verbs/bulk.ts');
          const { count, confirm, reason } = options;
          const wish = { count: Number(count), confirm: textOf(confirm) };
          return withBroker(options, (context) =>
            runStart(context, id, { ...wish, reason: textOf(reason) ?? '' }),
          );
        }),
      ),
    'tillwatch bulk start ID --count 12 --reason T-490',
  );
}

function addChanges(bulk: Command, verb: Verb): void {
  for (const [change, what] of [
    ['pause', 'begin no more of it for now; what was sent goes on'],
    ['resume', 'go on with it'],
    ['abort', 'end it, and take back what no terminal has taken yet'],
  ] as const) {
    example(
      bulk
        .command(change)
        .argument('<bulk>', 'its id')
        .description(what)
        .option('--reason <text>', REASON)
        .option('--json', JSON_WORDS)
        .action((id: string, options: Options) =>
          verb(async () => {
            const { runChange } = await import('./verbs/bulk.ts');
            const reason = textOf(options['reason']) ?? '';
            return withBroker(options, (context) => runChange(context, change, id, reason));
          }),
        ),
      `tillwatch bulk ${change} ID --reason "tills in Hamm do not come back"`,
    );
  }
}

export function addBulkVerbs(program: Command, verb: Verb): void {
  const bulk = example(
    program
      .command('bulk')
      .description('one command for many terminals, in waves that stop by themselves'),
    'tillwatch bulk plan restart sale --store berlin-mitte --reason T-490 --json',
    'tillwatch bulk start ID --count 4 --reason T-490',
  );
  addPlan(bulk, verb);
  addStart(bulk, verb);
  example(
    bulk
      .command('status')
      .argument('<bulk>', 'its id')
      .description('how far it is, and which terminals failed')
      .option('--targets', 'the whole list')
      .option('--json', JSON_WORDS)
      .action((id: string, options: Options) =>
        verb(async () => {
          const { runStatus } = await import('./verbs/bulk.ts');
          const all = options['targets'] === true;
          return withBroker(options, (context) => runStatus(context, id, all));
        }),
      ),
    'tillwatch bulk status ID',
  );
  addChanges(bulk, verb);
  example(
    bulk
      .command('list')
      .description('bulk actions, the newest first')
      .option('--json', JSON_WORDS)
      .action((options: Options) =>
        verb(async () => {
          const { runList } = await import('./verbs/bulk.ts');
          return withBroker(options, (context) => runList(context));
        }),
      ),
    'tillwatch bulk list',
  );
}
