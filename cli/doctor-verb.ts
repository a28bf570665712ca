// The verb for whoever stands before a till or a broker and wants to know what is wrong. It is one verb for both and stands
// at the top, not below `broker`: what a machine is, its configuration says.

import type { Command } from 'commander';
import { example, type Options, print, type Verb } from './command.ts';
import { styleFor } from './screen.ts';

export function addDoctorVerb(program: Command, verb: Verb): void {
  example(
    program
      .command('doctor')
      .description('look at this till or broker as a person would, and say what to do')
      .option(
        '--config <file>',
        "an agent's or a broker's configuration; the one in /etc/tillwatch if not said",
      )
      .option('--only <check,...>', 'these checks alone, by the names in the second column')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runDoctor } = await import('./verbs/doctor.ts');
          const style = styleFor(process.stdout, process.env);
          return await runDoctor(options, { print, style, env: process.env });
        }),
      ),
    'tillwatch doctor',
    'tillwatch doctor --config /etc/tillwatch/broker.yaml --only disk,backup',
  );
}
