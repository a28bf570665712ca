// How `tillwatch logs` is written on the command line; what it does stands in verbs/logs.ts. Apart from
// tillwatch.ts because it has more options than all the other verbs together.

import type { Command } from 'commander';
import { example, type Options, type Verb, withBroker } from './command.ts';

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
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

export function addLogsVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('logs')
      .argument('<terminal>', 'the terminal, for example bm-lane-1')
      .description('lines that its components printed, card numbers masked')
      .option('-c, --component <name>', 'only this one; more than once for several', each)
      .option('--since <when>', '10m, 2h, 14:30 or "2026-11-23 14:30"', '10m')
      .option('--until <when>', 'the same; now if not given')
      .option('--reason <text>', 'why: it stands in the audit log (needed)')
      .option('--max-bytes <size>', 'at most so much, newest first; 5M if not given')
      .option('-o, --output <file>', 'write what arrives to a file')
      .option('--request <id>', 'show an earlier request again')
      .option('--no-wait', 'print the id of the request and leave')
      .option('--json', 'print one JSON object')
      .action((terminal: string, options: Options) =>
        verb(async () => {
          const { runLogs } = await import('./verbs/logs.ts');
          const components = (options['component'] ?? []) as string[];
          const asked = {
            ...{ components, since: String(options['since']), until: textOf(options['until']) },
            ...{ maxBytes: textOf(options['maxBytes']), output: textOf(options['output']) },
            ...{ reason: textOf(options['reason']) ?? '', request: textOf(options['request']) },
            wait: options['wait'] !== false,
            isShown: process.stdout.isTTY === true && options['json'] !== true,
            ...{ note, progress },
          };
          return withBroker(options, (context) => runLogs(context, terminal, asked));
        }),
      ),
    'tillwatch logs bm-lane-1 -c sale --since 30m --reason "receipts are missing"',
    'tillwatch logs bm-lane-1 --since 14:00 --until 14:10 --reason T-471 -o a.log',
  );
}
