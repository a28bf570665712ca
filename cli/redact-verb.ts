// How `tillwatch redact` is written on the command line; what it does stands in verbs/redact.ts. It asks nobody:
// the redactor runs here, as it does on every till.

import { fstatSync } from 'node:fs';
import type { Command } from 'commander';
import { example, type Options, say, textOf, type Verb } from './command.ts';
import { styleFor } from './screen.ts';

function isFolder(): boolean {
  try {
    return fstatSync(process.stdin.fd).isDirectory();
  } catch {
    return false;
  }
}

export function addRedactVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('redact')
      .description('take card data out of what is on stdin, as the terminals do')
      .option('--rules <file>', "rules of one's own as well, as in an agent's configuration")
      .option('--show', 'only the lines in which something goes, with their numbers')
      .option('--json', 'only how much goes, as one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runRedact } = await import('./verbs/redact.ts');
          return await runRedact(
            {
              isFolder: isFolder(),
              input: process.stdin,
              output: process.stdout,
              style: styleFor(process.stdout, process.env),
              note: say,
            },
            {
              rules: textOf(options['rules']),
              show: options['show'] === true,
              json: options['json'] === true,
            },
          );
        }),
      ),
    'tillwatch redact < pos.log > clean.log',
    'tillwatch redact --show --rules rules.yaml < pos.log',
  );
}
