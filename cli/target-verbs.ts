// How `tillwatch target` is written on the command line: which version a component should run, where. What it does stands
// in verbs/target.ts.

import type { Command } from 'commander';
import {
  example,
  JSON_WORDS,
  type Options,
  REASON,
  textOf,
  type Verb,
  withBroker,
} from './command.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { addSelector, optionNames, readSelector, type SelectorOption } from './selector.ts';

/** The most specific first, as they win. */
const WHERE: readonly SelectorOption[] = ['terminal', 'store', 'label', 'region', 'all'];

type Whom = { readonly rank: string; readonly values: readonly string[] };

/** One of them: which is more specific is what decides between two targets. */
function whomOf(options: Options): Whom | string {
  const selector = readSelector(options, WHERE);
  if (!selector.ok) return selector.reason;
  const said = WHERE.filter((one) => options[one] !== undefined && options[one] !== false);
  const [rank] = said;
  if (rank === undefined) return `say for whom with ${optionNames(WHERE)}`;
  if (said.length > 1) return `say one of ${optionNames(WHERE)}, not several`;
  return { rank, values: rank === 'all' ? [] : [options[rank]].flat().map(String) };
}

async function change(
  component: string,
  version: string | undefined,
  options: Options,
): Promise<Outcome> {
  const whom = whomOf(options);
  if (typeof whom === 'string') return ended(EXIT.usage, whom);
  const { runChange } = await import('./verbs/target.ts');
  const { role, reason, yes, dryRun } = options;
  const wish = { component, version, role: textOf(role), ...whom };
  const how = { reason: textOf(reason) ?? '', isYes: yes === true, isDry: dryRun === true };
  return withBroker(options, (context) => runChange(context, wish, how));
}

function addChanges(target: Command, verb: Verb): void {
  example(
    addSelector(
      target
        .command('set')
        .argument('<component>', 'which; "agent" is the agent')
        .argument('<version>', 'that it should run')
        .description('say which version should run, after showing what that changes'),
      WHERE,
    )
      .option('--role <role>', 'candidate (is tried) or control (what that is compared with)')
      .option('--dry-run', 'show it and change nothing')
      .option('--yes', 'do not ask; for scripts')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((component: string, version: string, _options: Options, command: Command) =>
        verb(() => change(component, version, command.optsWithGlobals())),
      ),
    'tillwatch target set sale 2.4.1 --all --reason "release 12"',
    'tillwatch target set sale 2.5 --label pilot --role candidate --reason T-490',
  );
  example(
    addSelector(
      target
        .command('clear')
        .argument('<component>', 'which')
        .description('forget what was set, after showing whom that concerns'),
      WHERE,
    )
      .option('--dry-run', 'show it and change nothing')
      .option('--yes', 'do not ask; for scripts')
      .option('--reason <text>', REASON)
      .option('--json', JSON_WORDS)
      .action((component: string, _options: Options, command: Command) =>
        verb(() => change(component, undefined, command.optsWithGlobals())),
      ),
    'tillwatch target clear sale --label pilot --reason "trial is over"',
  );
}

export function addTargetVerbs(program: Command, verb: Verb): void {
  const target = example(
    program
      .command('target')
      .description('which versions should run where, and how many do')
      .option('--json', JSON_WORDS)
      .action((options: Options) =>
        verb(async () => {
          const { runTargets } = await import('./verbs/target.ts');
          return withBroker(options, (context) => runTargets(context));
        }),
      ),
    'tillwatch target',
    'tillwatch target set sale 2.4.1 --all --reason "release 12"',
  );
  addChanges(target, verb);
  example(
    target
      .command('behind')
      .description('terminals that run another version than their target')
      .option('-c, --component <name>', 'only of this component')
      .option('-n, --limit <n>', 'at most so many', '50')
      .option('--json', JSON_WORDS)
      .action((_options: Options, command: Command) =>
        verb(async () => {
          const options: Options = command.optsWithGlobals();
          const { runBehind } = await import('./verbs/target.ts');
          const { component, limit } = options;
          const wish = { component: textOf(component), limit: textOf(limit) ?? '50' };
          return withBroker(options, (context) => runBehind(context, wish));
        }),
      ),
    'tillwatch target behind --component sale',
  );
}
