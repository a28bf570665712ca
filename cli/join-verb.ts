// How `tillwatch join` is written on the command line; what it does stands in verbs/join.ts.

import type { Command } from 'commander';
import { example, note, type Options, print, type Verb } from './command.ts';

export function addJoinVerb(program: Command, verb: Verb): void {
  example(
    note(
      program
        .command('join')
        .argument('[token]', 'of tillwatch enroll; - reads it from standard input', '-')
        .description('on a till: say which terminal this machine is, by a token that serves once')
        .option(
          '--config <file>',
          "the till's own file; written when it is not there",
          '/etc/tillwatch/agent.yaml',
        )
        .option('--data-dir <folder>', 'where the agent keeps its data', '/var/lib/tillwatch')
        .option('--run-dir <folder>', 'sockets and records; in memory', '/run/tillwatch')
        .option('--proxy <url>', 'http://HOST:PORT, where a store has one')
        .option('--json', 'print one JSON object')
        .action((token: string, options: Options) =>
          verb(async () => {
            const { runJoin } = await import('./verbs/join.ts');
            const { config, dataDir, runDir, proxy } = options;
            return runJoin({
              ...{
                token,
                config: String(config),
                dataDir: String(dataDir),
                runDir: String(runDir),
              },
              ...{ proxy: typeof proxy === 'string' ? proxy : undefined, print },
              json: options['json'] === true,
            });
          }),
        ),
      'It writes the file and the identity and starts nothing: the agent does, as the unit or tillwatch agent starts it.',
      'A till whose file is there already can enrol as it starts: tillwatch agent --enroll.',
    ),
    'tillwatch join < token.txt',
  );
}
