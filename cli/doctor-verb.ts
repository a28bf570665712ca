// The verb for whoever stands before a till or a broker and wants to know what is wrong. It is one verb for both and stands
// at the top: what a machine is, its configuration says, and nobody who is woken at night should have to know which of two
// verbs is meant. `tillwatch broker doctor` means the same, for whoever looks for it there.

import type { Command } from 'commander';
import { example, type Options, print, type Verb } from './command.ts';
import { styleFor } from './screen.ts';

function addTo(
  parent: Command,
  verb: Verb,
  wanted: 'broker' | undefined,
  ...lines: string[]
): void {
  const file = wanted === undefined ? "an agent's or a broker's" : "the broker's";
  example(
    parent
      .command('doctor', { hidden: wanted !== undefined })
      .description('look at this till or broker as a person would, and say what to do')
      .option('--config <file>', `${file} configuration; the one in /etc/tillwatch if not said`)
      .option('--only <check,...>', 'these checks alone, by the names in the second column')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runDoctor } = await import('./verbs/doctor.ts');
          const style = styleFor(process.stdout, process.env);
          return await runDoctor(options, { print, style, env: process.env }, wanted);
        }),
      ),
    ...lines,
  );
}

/** @param program that has the verb `broker` already. */
export function addDoctorVerb(program: Command, verb: Verb): void {
  const config = '--config /etc/tillwatch/broker.yaml';
  addTo(
    program,
    verb,
    undefined,
    'tillwatch doctor',
    `tillwatch doctor ${config} --only disk,backup`,
  );
  const broker = program.commands.find((one) => one.name() === 'broker');
  if (broker !== undefined) addTo(broker, verb, 'broker', 'tillwatch broker doctor');
}
