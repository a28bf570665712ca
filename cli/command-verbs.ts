// The verbs that have something done at one terminal, made from the catalogue: which there are, what they take, and
// what their help says of sales and roles. A kind that is added there is a verb here. `hold` works on the till itself,
// too (till-verbs.ts), and `logs` and `drill` have more to say than a command (logs-verb.ts, drill-verb.ts).

import type { Command } from 'commander';
import { COMMAND_KINDS, type CommandKind, catalogue, type Row } from '../protocol/catalogue.ts';
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
import { canForce, placesOf, readArguments } from './command-fields.ts';
import { EXIT, ended, type Outcome } from './exit.ts';

/** What is no verb of its own here: `trust` is sent by the broker alone, `apply` by tillwatch config apply. */
const ELSEWHERE: readonly CommandKind[] = [
  ...(['logs', 'tail', 'cancel_logs', 'drill', 'hold', 'trust', 'apply'] as const),
];

const EXAMPLES: Readonly<Partial<Record<CommandKind, readonly string[]>>> = {
  restart: ['tillwatch restart bm-lane-2 sync --reason "uploads are stuck"'],
  reopen: ['tillwatch reopen bm-lane-1 hardware printer --reason "cable was loose"'],
  log_level: ['tillwatch log-level bm-lane-1 sale debug --for 30m --reason T-471'],
  purge_logs: ['tillwatch purge-logs bm-lane-1 --before 7d --reason "disk is full"'],
  configure: ['tillwatch configure bm-lane-1 --file slower.yaml --reason T-480'],
  diagnose: ['tillwatch diagnose bm-lane-1 --out bm-lane-1.json --reason T-471'],
};

/** Where another verb may be the one that is meant. */
const ELSE_MEANT: Readonly<Partial<Record<CommandKind, readonly string[]>>> = {
  configure: [
    'It is for one agent, and lies over what its till runs under: to look closer for a while.',
    'What many tills run under, their components above all, goes out in versions:',
    'tillwatch config apply.',
  ],
  release: ['A maintenance goes on: tillwatch maintenance end.'],
};

const verbOf = (kind: CommandKind): string => kind.replaceAll('_', '-');

/** What a person has to know of it before: its sale rule, what it may stop, who may. */
export function rules({ sale, stopsSelling, role }: Row, force: boolean): string {
  const waits = force
    ? 'It waits until no sale is open, unless forced: then what the cashier is doing is lost.'
    : 'It waits until no sale is open.';
  return [
    sale === 'waits' ? waits : 'No sale notices it.',
    ...(stopsSelling ? ['While it runs, the till may not be able to sell.'] : []),
    `It needs the role ${role}.`,
  ].join(' ');
}

function exampleOf(kind: CommandKind): readonly string[] {
  const given = EXAMPLES[kind];
  if (given !== undefined) return given;
  const words = placesOf(kind).flatMap(({ flags, optional }) =>
    flags === undefined && !optional ? ['sync'] : [],
  );
  return [['tillwatch', verbOf(kind), 'bm-lane-1', ...words, '--reason "T-471"'].join(' ')];
}

/** Any kind, asked for through the broker. */
export function sendCommand(
  kind: CommandKind,
  terminal: string,
  words: readonly string[],
  options: Options,
): Promise<Outcome> {
  return withBroker(options, async (context) => {
    const reason = textOf(options['reason']) ?? '';
    const wait = options['wait'] !== false;
    if (kind === 'diagnose') {
      const { runDiagnose } = await import('./verbs/diagnose.ts');
      return runDiagnose(context, { terminal, reason, wait, out: textOf(options['out']) });
    }
    const { runCommand, wrongReason } = await import('./verbs/command.ts');
    const args = readArguments(kind, words, options, context.nowMs());
    const wrong = args.ok ? wrongReason(reason) : args.reason;
    if (!args.ok || wrong !== undefined) return ended(EXIT.usage, wrong ?? '');
    return runCommand(context, { kind, terminal, arguments: args.value, reason, wait });
  });
}

function addVerb(program: Command, verb: Verb, kind: CommandKind): void {
  const row = catalogue[kind];
  const command = program
    .command(verbOf(kind))
    .argument('<terminal>', 'the terminal, for example bm-lane-1')
    .description(row.what);
  const places = placesOf(kind);
  for (const { name, flags, optional, about } of places) {
    if (flags === undefined) command.argument(optional ? `[${name}]` : `<${name}>`, about);
    else command.option(flags, about);
  }
  // Not a required option of Commander's, which would hide that one is only misspelt.
  command.option('--reason <text>', REASON).option('--no-wait', 'do not wait for the result');
  if (canForce(kind)) {
    command.option('--force', 'also in the middle of a sale: what it is doing is lost');
  }
  if (kind === 'diagnose') command.option('-o, --out <file>', 'write the document to a file');
  command.option('--json', JSON_WORDS).action((terminal: string, ...rest: unknown[]) =>
    verb(() => {
      const words = rest.slice(0, -2).filter((word) => typeof word === 'string');
      return sendCommand(kind, terminal, words, rest.at(-2) as Options);
    }),
  );
  note(command, rules(row, canForce(kind)), ...(ELSE_MEANT[kind] ?? []));
  example(command, ...exampleOf(kind));
}

export function addCommandVerbs(program: Command, verb: Verb): void {
  for (const kind of COMMAND_KINDS) {
    if (!ELSEWHERE.includes(kind)) addVerb(program, verb, kind);
  }
}
