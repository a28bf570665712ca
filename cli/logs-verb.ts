// How `tillwatch logs` and `tillwatch requests` are written on the command line; what they do stands in verbs/. Apart
// from tillwatch.ts because they have more options than all the other verbs together.

import type { Command } from 'commander';
import { example, type Options, REASON, textOf, type Verb, withBroker } from './command.ts';
import { EXIT, ended } from './exit.ts';
import { addSelector, readSelector, type Selector } from './selector.ts';

const CLEAR_LINE = '\r\u001b[2K';

/** One line on standard error that replaces itself, where somebody looks at it. */
const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`${CLEAR_LINE}${text}`);
};
const note = (text: string): void => {
  progress('');
  process.stderr.write(`tillwatch: ${text}\n`);
};

const each = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** The first Ctrl-C ends what is followed in good order, and so does `| head`; the second ends the program. */
function onInterrupt(): AbortSignal {
  const enough = new AbortController();
  process.once('SIGINT', () => enough.abort());
  process.stdout.on('error', () => enough.abort());
  return enough.signal;
}

/** Terminals themselves are named without an option. */
const SELECTORS = ['store', 'region', 'label', 'runs'] as const;

function readOptions(options: Options, selector: Selector | undefined) {
  const isFollowed = options['follow'] === true;
  return {
    components: (options['component'] ?? []) as string[],
    ...{ since: textOf(options['since']), until: textOf(options['until']) },
    ...{ last: textOf(options['last']), level: textOf(options['level']) },
    ...{ grep: textOf(options['grep']), pattern: textOf(options['pattern']) },
    ...{ context: textOf(options['context']), searchFor: textOf(options['searchFor']) },
    ...{ maxBytes: textOf(options['maxBytes']), output: textOf(options['output']) },
    ...{ reason: textOf(options['reason']) ?? '', request: textOf(options['request']) },
    ...{ lasts: textOf(options['for']), raise: textOf(options['raise']) },
    ...{ follow: isFollowed, utc: options['utc'] === true, selector },
    wait: options['wait'] !== false,
    isShown: process.stdout.isTTY === true && options['json'] !== true,
    ...{ note, progress, enough: isFollowed ? onInterrupt() : undefined },
  };
}

function addLogs(program: Command, verb: Verb): void {
  example(
    addSelector(
      program
        .command('logs')
        .argument('[terminals...]', 'which, for example bm-lane-1')
        .description('records that components printed, card numbers masked')
        .option('-c, --component <name>', 'only this one; more than once for several', each)
        .option('--since <when>', '10m, 14:30 (store time), 14:30Z or a date; 10m if not given')
        .option('--until <when>', 'the same; now if not given')
        .option('-n, --last <count>', 'the newest so many that fit the rest')
        .option('-l, --level <level>', 'this one or worse: error, warn, info or debug')
        .option('-g, --grep <text>', 'with this text in them, case ignored')
        .option('-E, --pattern <expression>', 'that this regular expression finds (RE2)')
        .option('-C, --context <count>', 'so many records around each that was found')
        .option('--max-bytes <size>', 'at most so much, newest first; 5M if not given')
        .option('--search-for <time>', 'how long the terminal may search, as in 5m')
        .option('-f, --follow', 'what is printed from now on, until Ctrl-C or the end of --for')
        .option('--for <time>', 'of --follow: how long at most; 10m if not given')
        .option('--raise <level>', 'of --follow: log so much meanwhile; then as before'),
      SELECTORS,
    )
      .option('--reason <text>', REASON)
      .option('-o, --output <file>', 'write what arrives to a file; of several, to a folder')
      .option('--utc', 'times are UTC, and not those of the store')
      .option('--request <id>', 'show an earlier request again')
      .option('--no-wait', 'print the id of the request and leave')
      .option('--json', 'print one JSON object')
      .action((terminals: string[], options: Options) =>
        verb(async () => {
          const { runLogs } = await import('./verbs/logs.ts');
          const selector = readSelector(options, SELECTORS);
          if (!selector.ok) return ended(EXIT.usage, selector.reason);
          return withBroker(options, (context) =>
            runLogs(context, terminals, readOptions(options, selector.value)),
          );
        }),
      ),
    'tillwatch logs bm-lane-1 -c sale --since 30m --reason "receipts are missing"',
    'tillwatch logs bm-lane-1 --level error --last 20 --reason T-471',
    'tillwatch logs --store berlin-mitte --grep "no answer" -C 2 --reason T-471',
    'tillwatch logs bm-lane-1 -c sale --follow --raise debug --reason T-471',
  );
}

function addRequests(program: Command, verb: Verb): void {
  example(
    program
      .command('requests')
      .argument('[id]', 'one of them, whole')
      .description('requests for logs and live tails: waiting, running, answered')
      .option('--terminal <terminal>', 'only of this terminal')
      .option('--state <state>', 'only waiting, running, complete, failed, expired or cancelled')
      .option('--what <kind>', 'only lines, tail, incident or diagnosis')
      .option('--limit <count>', 'at most so many', '20')
      .option('--cancel', 'end the one that is named; what was sent stays')
      .option('--reason <text>', 'of --cancel: why; it stands in the audit log')
      .option('--json', 'print one JSON object')
      .action((id: string | undefined, options: Options) =>
        verb(async () => {
          const { runRequests } = await import('./verbs/requests.ts');
          const { terminal, state, what, limit, reason } = options;
          const ask = {
            ...{ id, terminal: textOf(terminal), state: textOf(state), what: textOf(what) },
            ...{ limit: String(limit), cancel: options['cancel'] === true },
            reason: textOf(reason) ?? '',
          };
          if (ask.cancel && id === undefined) {
            return ended(EXIT.usage, 'say which: tillwatch requests ID --cancel --reason WHY');
          }
          return withBroker(options, (context) => runRequests(context, ask));
        }),
      ),
    'tillwatch requests',
    'tillwatch requests --terminal bm-lane-1 --state waiting',
    'tillwatch requests ID --cancel --reason "found it"',
  );
}

export function addLogsVerb(program: Command, verb: Verb): void {
  addLogs(program, verb);
  addRequests(program, verb);
}
