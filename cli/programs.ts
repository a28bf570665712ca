// The verbs that run something on this machine: the demo, a broker, an agent, and the check of what the
// latter two are configured with.

import type { Command } from 'commander';
import { example, note, type Options, print, type Verb } from './command.ts';
import { EXIT, ended } from './exit.ts';

/** What one simulator and one broker do on a small machine without being noticed. */
const SIMULATED_MAX = 5_000;

export function addPrograms(program: Command, verb: Verb) {
  example(
    program
      .command('demo')
      .description('one broker and three real tills on this machine; watch one hang and heal')
      .option('--once', 'tell the story, check each step, stop everything; exit 0 or 1')
      .option('--json', 'print one JSON object per step and line')
      .option('--simulated <n>', 'simulated terminals beside the real ones; 0: none', '50')
      .action((options: Options) =>
        verb(async () => {
          const simulated = Number(options['simulated'] || Number.NaN);
          if (!Number.isInteger(simulated) || simulated < 0 || simulated > SIMULATED_MAX) {
            return ended(EXIT.usage, `--simulated: a whole number from 0 to ${SIMULATED_MAX}`);
          }
          const { runDemo } = await import('./demo/demo.ts');
          return runDemo({
            once: options['once'] === true,
            json: options['json'] === true,
            simulated,
          });
        }),
      ),
    'tillwatch demo',
    'tillwatch demo --once',
  );
  for (const [name, what] of [
    ['broker', 'the centre: MQTT, registry, HTTP API'],
    ['agent', 'the watchdog of one terminal'],
  ] as const) {
    const command = program.command(name);
    if (name === 'agent') {
      command.option(
        '--enroll <token>',
        'of tillwatch enroll, once; - reads it from standard input',
      );
    }
    example(
      command
        .description(`run ${what}, until a signal ends it`)
        // Asked for below and not by `requiredOption`, which the verbs under `broker` would inherit.
        .option('--config <file>', 'its configuration, YAML')
        .option('--json', 'print one JSON object when it is ready')
        .action((options: Options) =>
          verb(async () => {
            const file = options['config'];
            if (typeof file !== 'string') {
              return ended(EXIT.usage, "required option '--config <file>' not specified");
            }
            const { runProgram } = await import('./verbs/run.ts');
            const token = options['enroll'];
            return runProgram(name, file, {
              json: options['json'] === true,
              token: typeof token === 'string' ? token : undefined,
            });
          }),
        ),
      `tillwatch ${name} --config /etc/tillwatch/${name}.yaml`,
    );
  }
  example(
    note(
      program
        .command('check-config')
        .argument('<file>', "an agent's or a broker's configuration")
        .description('say "ok", or every problem of a configuration at once')
        .option('--json', 'print one JSON object')
        .action((file: string, options: Options) =>
          verb(async () => {
            const { runCheckConfig } = await import('./verbs/check-config.ts');
            return runCheckConfig(file, { print, json: options['json'] === true });
          }),
        ),
      "For a machine's own file; of a document for the fleet: tillwatch config check.",
    ),
    'tillwatch check-config /etc/tillwatch/agent.yaml',
  );
}
