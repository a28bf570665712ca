// The verbs that say who belongs to the fleet: `enroll`, and what becomes of a terminal, below `terminal`.

import type { Command } from 'commander';
import { example, note, type Options, textOf, type Verb, withBroker } from './command.ts';
import type { IdentityAct } from './verbs/identity.ts';

function addEnroll(program: Command, verb: Verb): void {
  example(
    note(
      program
        .command('enroll')
        .description('let a terminal in, or many: a token for each, good once and for minutes')
        .option('--store <id>', 'where it stands')
        .option('--terminal <id>', 'which one')
        .option('--file <file>', 'many: CSV with terminal,store in each row, or YAML')
        .option(
          '--planned',
          'all planned terminals without a certificate; with --store: of that one',
        )
        .option('--out <file>', 'of many: where the tokens go; FILE.tokens.csv unless said')
        .option('--minutes <n>', "how long a token is good; as the broker's configuration says")
        .option('--again', 'also for one that has a certificate, which stays good until then')
        .option('--reason <text>', 'why: it stands in the audit log', 'enrolment')
        .option('--json', 'print one JSON object')
        .action((options: Options) =>
          verb(async () => {
            const { runEnroll } = await import('./verbs/enroll.ts');
            const { terminal, store, file, planned, out, minutes, again, reason = '' } = options;
            const wish = {
              ...{ terminal: textOf(terminal), store: textOf(store), file: textOf(file) },
              ...{ out: textOf(out), minutes: textOf(minutes), again: again === true },
              planned: planned === true,
              reason: String(reason),
            };
            return withBroker(options, (context) => runEnroll(context, wish));
          }),
        ),
      'At the till, the token goes to: tillwatch join.',
    ),
    'tillwatch enroll --store berlin --terminal bm-lane-1',
    'tillwatch enroll --file new-stores.csv --minutes 1440',
    'tillwatch enroll --planned --out tokens.csv',
  );
}

const ACTS: readonly (readonly [IdentityAct, string, string])[] = [
  ['suspend', 'take no data from a terminal and send it no commands, until resumed', 'T-512: lost'],
  ['resume', 'end a suspension', 'T-512: found again'],
  ['revoke', 'cut a terminal off, at once and for ever', 'T-512: stolen'],
  ['replace', 'take back its certificate, and make a token for the next machine', 'new mainboard'],
  ['move', 'say that it stands in another store', 'lent to Munich'],
  ['retire', 'end it: in no count any more, its history stays', 'lane closed'],
  ['accept-machine', 'say that the machine that it is on now is the right one', 'disk was moved'],
];

/** @param program that has the verb `terminal` already. */
export function addIdentityVerbs(program: Command, verb: Verb): void {
  addEnroll(program, verb);
  const terminal = program.commands.find((one) => one.name() === 'terminal');
  if (terminal === undefined) throw new Error('bug: there is no verb "terminal"');
  // Else `--json` behind `move` would be that of `terminal` (broker-verbs.ts).
  terminal.enablePositionalOptions();
  for (const [act, about, reason] of ACTS) {
    const command = terminal.command(act).description(about).argument('<terminal>', 'which one');
    if (act === 'move') command.argument('<store>', 'where it stands from now on');
    if (act === 'replace') command.option('--minutes <n>', 'how long the token is good');
    command
      .option('--reason <text>', 'why: it stands in the audit log (needed)')
      .option('--json', 'print one JSON object')
      .action((id: string, ...rest: unknown[]) =>
        verb(async () => {
          const { runIdentityAct } = await import('./verbs/identity.ts');
          const options = rest.at(-2) as Options;
          const store = act === 'move' ? String(rest[0]) : undefined;
          const { minutes, reason: why = '' } = options;
          const wish = { act, terminal: id, store, minutes: textOf(minutes), reason: String(why) };
          return withBroker(options, (context) => runIdentityAct(context, wish));
        }),
      );
    const words = act === 'move' ? `${act} bm-lane-1 munich` : `${act} bm-lane-1`;
    example(command, `tillwatch terminal ${words} --reason "${reason}"`);
  }
}
