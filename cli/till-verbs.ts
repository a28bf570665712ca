// The verbs for whoever stands at the till: what its watchdog sees, and to hold it while somebody works on the
// machine. They ask the agent itself and need no network; what they take is the same for all.

import type { Command } from 'commander';
import { example, note, type Options, print, textOf, type Verb } from './command.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { type Style, styleFor } from './screen.ts';
import { type AskTill, findRunDir, tillIn } from './till.ts';

export type TillContext = {
  readonly print: (line: string) => unknown;
  readonly style: Style;
  readonly ask: AskTill;
  readonly json: boolean;
};

/** Where the agent is found, as every verb at the till takes it. */
export const atTill = (command: Command): Command =>
  command
    .option('--run-dir <dir>', "the agent's run directory")
    .option('--config <file>', "or the agent's configuration, which names it")
    .option('--json', 'print one JSON object');

export async function withTill(
  options: Options,
  run: (context: TillContext) => Promise<Outcome>,
): Promise<Outcome> {
  const runDir = findRunDir(options, process.env);
  if (!runDir.ok) return ended(EXIT.usage, runDir.reason);
  return await run({
    print,
    style: styleFor(process.stdout, process.env),
    ask: tillIn(runDir.value),
    json: options['json'] === true,
  });
}

/** A till that is elsewhere is asked by a signed command. */
async function holdThere(terminal: string, options: Options): Promise<Outcome> {
  if (options['runDir'] !== undefined || options['config'] !== undefined) {
    return ended(
      EXIT.usage,
      'a terminal is asked through the broker: without --run-dir and --config',
    );
  }
  const isRelease = options['release'] === true;
  if (isRelease && options['for'] !== undefined) {
    return ended(EXIT.usage, 'say --for or --release, not both');
  }
  const { sendCommand } = await import('./command-verbs.ts');
  return await sendCommand(isRelease ? 'release' : 'hold', terminal, [], options);
}

export function addTillVerbs(program: Command, verb: Verb): void {
  example(
    atTill(
      program.command('status').description('on a till: what its watchdog sees, without network'),
    ).action((options: Options) =>
      verb(async () => {
        const { runStatus } = await import('./verbs/status.ts');
        return withTill(options, (context) => runStatus(context));
      }),
    ),
    'tillwatch status',
    'tillwatch status --config /etc/tillwatch/agent.yaml --json',
  );
  example(
    note(
      atTill(
        program
          .command('hold')
          .argument('[terminal]', 'not this till, but that one, through the broker')
          .description('let the watchdog of a till only watch for a while')
          .option('--for <time>', 'how long, 1m to 24h; it ends by itself')
          .option('--reason <text>', 'why: the operations centre reads it')
          .option('--release', 'end it now')
          .option('--no-wait', 'with a terminal: do not wait for the result'),
      ).action((terminal: string | undefined, options: Options) =>
        verb(async () => {
          if (terminal !== undefined) return await holdThere(terminal, options);
          const { runHold } = await import('./verbs/hold.ts');
          const { for: time, reason, release } = options;
          const wish = { time: textOf(time), reason: textOf(reason), release: release === true };
          return withTill(options, (context) => runHold(context, wish));
        }),
      ),
      'For whoever works at one till: its alerts and figures go on.',
      'Work on a store, or work that must be quiet at the centre: tillwatch maintenance.',
    ),
    'tillwatch hold --for 30m --reason "changing the printer"',
    'tillwatch hold --release',
    'tillwatch hold bm-lane-1 --for 30m --reason "a technician is there"',
  );
}
