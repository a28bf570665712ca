// `tillwatch`: the one executable. This file only says which verbs there are; each verb is loaded when it
// is called, so that `--help` stays quick and the broker's libraries are not on a till. Exit codes are
// those of sysexits(3); what stands in the source of a verb is an Outcome, never a stack trace.

import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { createClient } from './client.ts';
import type { Context } from './context.ts';
import { done, EXIT, type ExitCode, ended, type Outcome } from './exit.ts';
import { findOperator } from './operator.ts';
import { COLUMNS, styleFor } from './screen.ts';

type Options = Readonly<Record<string, unknown>>;

/** What one simulator and one broker do on a small machine without being noticed. */
const SIMULATED_MAX = 5_000;

const say = (sentence: string): boolean => process.stderr.write(`tillwatch: ${sentence}\n`);
const print = (line: string): boolean => process.stdout.write(`${line}\n`);

function example(command: Command, ...lines: string[]): Command {
  const heading = lines.length === 1 ? 'Example:' : 'Examples:';
  return command.addHelpText('after', ['', heading, ...lines.map((l) => `  $ ${l}`)].join('\n'));
}

/** What the verbs that ask a broker need; a wrong TILLWATCH_URL ends it here. */
async function withBroker(
  options: Options,
  run: (context: Context) => Promise<Outcome>,
): Promise<Outcome> {
  const operator = findOperator(process.env, process.cwd());
  if (!operator.ok) return ended(EXIT.usage, operator.reason);
  return await run({
    print,
    style: styleFor(process.stdout, process.env),
    client: createClient(operator.value),
    nowMs: Date.now,
    sleep,
    json: options['json'] === true,
  });
}

function addPrograms(program: Command, verb: (run: () => Promise<Outcome>) => Promise<void>) {
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
    example(
      program
        .command(name)
        .description(`run ${what}, until a signal ends it`)
        .requiredOption('--config <file>', 'its configuration, YAML')
        .option('--json', 'print one JSON object when it is ready')
        .action((options: Options) =>
          verb(async () => {
            const { runProgram } = await import('./verbs/run.ts');
            return runProgram(name, String(options['config']), options['json'] === true);
          }),
        ),
      `tillwatch ${name} --config /etc/tillwatch/${name}.yaml`,
    );
  }
  example(
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
    'tillwatch check-config /etc/tillwatch/agent.yaml',
  );
}

function addQuestions(program: Command, verb: (run: () => Promise<Outcome>) => Promise<void>) {
  example(
    program
      .command('fleet')
      .description('how many terminals there are, which versions run, who needs help')
      .option('--all', 'list every terminal, not only the worst of a large fleet')
      .option('--json', 'print one JSON object')
      .action((options: Options) =>
        verb(async () => {
          const { runFleet } = await import('./verbs/fleet.ts');
          return withBroker(options, (context) => runFleet(context, options));
        }),
      ),
    'tillwatch fleet',
    'TILLWATCH_URL=http://127.0.0.1:8081 tillwatch fleet --json',
  );
  example(
    program
      .command('terminal')
      .argument('<id>', 'the terminal, for example bm-lane-1')
      .description('one terminal: what runs there, since when, what happened')
      .option('--json', 'print one JSON object')
      .action((id: string, options: Options) =>
        verb(async () => {
          const { runTerminal } = await import('./verbs/terminal.ts');
          return withBroker(options, (context) => runTerminal(context, id));
        }),
      ),
    'tillwatch terminal bm-lane-1',
  );
  example(
    program
      .command('restart')
      .argument('<terminal>', 'the terminal, for example bm-lane-1')
      .argument('<component>', 'the component, for example sync')
      .description('restart a component; waits while it is in the middle of a sale')
      .requiredOption('--reason <text>', 'why: it stands in the audit log')
      .option('--no-wait', 'do not wait for the result')
      .option('--json', 'print one JSON object')
      .action((terminal: string, component: string, options: Options) =>
        verb(async () => {
          const { runRestart } = await import('./verbs/restart.ts');
          const reason = String(options['reason']);
          const wait = options['wait'] !== false;
          return withBroker(options, (context) =>
            runRestart(context, terminal, component, { reason, wait }),
          );
        }),
      ),
    'tillwatch restart bm-lane-2 sync --reason "uploads are stuck"',
  );
}

export function createProgram(verb: (run: () => Promise<Outcome>) => Promise<void>): Command {
  const program = new Command('tillwatch')
    .description('Keeps the tills of a retail chain selling.')
    .version(manifest.version)
    .exitOverride()
    .configureHelp({
      helpWidth: COLUMNS,
      // Without "[options]", which every verb has: the descriptions need the room.
      subcommandTerm: (verb) =>
        [verb.name(), ...verb.registeredArguments.map((one) => `<${one.name()}>`)].join(' '),
    })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'tillwatch: ')),
    })
    .showHelpAfterError('(see tillwatch --help)');
  addPrograms(program, verb);
  addQuestions(program, verb);
  program.addHelpText(
    'after',
    [
      '',
      'Environment:',
      '  TILLWATCH_URL        the broker, http://127.0.0.1:8080 if not set',
      '  TILLWATCH_API_TOKEN  its token, from the file api-token in its data folder',
      '  In the folder of a running demo neither is needed.',
      '',
      'Exit codes: 0 good, 1 failed, 64 wrong use or configuration, 69 unavailable,',
      '70 a bug of ours, 77 not allowed.',
    ].join('\n'),
  );
  return program;
}

/** @returns the exit code; prints the sentence that goes with it */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  let outcome: Outcome = done;
  const program = createProgram(async (verb) => {
    outcome = await verb();
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed what is wrong; asking for help or the version is not an error.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (outcome.sentence !== undefined) say(outcome.sentence);
  return outcome.exit;
}

function leaveQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  // The demo has processes to end first; it listens for this itself.
  if (process.stdout.listenerCount('error') === 1) process.exit(EXIT.ok);
}

if (import.meta.main) {
  // `tillwatch fleet | head` closes our output early; that is no error of ours.
  process.stdout.on('error', leaveQuietly);
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.syscall === 'uv_cwd') {
      say('the folder that you are in is not there any more');
      process.exitCode = EXIT.unavailable;
    } else {
      say(`this is a bug of ours: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = EXIT.bug;
    }
  }
}
