// `tillwatch drill`: the one verb that works on the till itself and from afar; which of the two is said by --terminal.

import type { Command } from 'commander';
import { example, type Options, print, textOf, type Verb, withBroker } from './command.ts';
import { done, EXIT, ended } from './exit.ts';
import { withTill } from './till-verbs.ts';

export function addDrillVerb(program: Command, verb: Verb): void {
  const command = program
    .command('drill')
    .argument('[fault]', 'which fault: see --list')
    .description('break something on purpose and see what the watchdog does')
    .option('--list', 'name the faults')
    .option('--component <component>', 'stop only: a real component, once it is idle')
    .option('--terminal <terminal>', 'not on this till, but on that one, through the broker')
    .option('--reason <text>', 'why; with --terminal it is needed: it stands in the audit log')
    .option('--run-dir <dir>', "the agent's run directory")
    .option('--config <file>', "or the agent's configuration, which names it")
    .option('--json', 'print the report as one JSON object')
    .action((fault: string | undefined, options: Options) =>
      verb(async () => {
        const { listLines, runDrillHere, runDrillThere } = await import('./verbs/drill.ts');
        if (options['list'] === true) {
          for (const line of listLines()) print(line);
          return done;
        }
        const { component, reason, terminal } = options;
        const wish = {
          ...{ fault: fault ?? '', component: textOf(component), reason: textOf(reason) },
        };
        if (typeof terminal !== 'string') {
          return withTill(options, (context) => runDrillHere(context, wish));
        }
        if (options['runDir'] !== undefined || options['config'] !== undefined) {
          return ended(EXIT.usage, '--terminal asks the broker: without --run-dir and --config');
        }
        return withBroker(options, (context) => runDrillThere(context, terminal, wish));
      }),
    );
  example(
    command,
    'tillwatch drill hang',
    'tillwatch drill stop --component sync',
    'tillwatch drill deadlock --terminal bm-lane-1 --reason "monthly drill"',
  );
}
