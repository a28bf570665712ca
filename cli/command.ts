// What the verbs are put together with: an example below each one's help, and for those that ask a broker
// where it is and how to print. Separate from the verbs themselves, which are loaded only when called.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { EXIT, ended, type Outcome } from './exit.ts';
import { withNotices } from './notices.ts';
import { findOperator, type Operator } from './operator.ts';
import { COLUMNS, styleFor, wrap } from './screen.ts';

/** Performs a verb and keeps how it ended. */
export type Verb = (run: () => Promise<Outcome>) => Promise<void>;
export type Options = Readonly<Record<string, unknown>>;

export const say = (sentence: string): boolean => process.stderr.write(`tillwatch: ${sentence}\n`);
export const print = (line: string): boolean => process.stdout.write(`${line}\n`);
/** What stands in the help of every verb that has these options, in the same words. */
export const JSON_WORDS = 'print one JSON object';
export const REASON = 'why: it stands in the audit log (needed)';
/** Of an option or argument, which Commander gives as unknown. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

export function example(command: Command, ...lines: string[]): Command {
  const heading = lines.length === 1 ? 'Example:' : 'Examples:';
  return command.addHelpText('after', ['', heading, ...lines.map((l) => `  $ ${l}`)].join('\n'));
}

/** A few sentences below the options: what a person has to know before, or which other verb may be meant. */
export function note(command: Command, ...sentences: string[]): Command {
  return command.addHelpText('after', `\n${wrap(sentences.join(' '), COLUMNS).join('\n')}`);
}

/** What the verbs that ask a broker need; a wrong TILLWATCH_URL ends it here. */
export async function withBroker(
  options: Options,
  run: (context: Context, operator: Operator) => Promise<Outcome>,
): Promise<Outcome> {
  const operator = findOperator(process.env, process.cwd());
  if (!operator.ok) return ended(EXIT.usage, operator.reason);
  const context: Context = {
    print,
    style: styleFor(process.stdout, process.env),
    client: withNotices(operator.value, process.env, say),
    nowMs: Date.now,
    sleep,
    json: options['json'] === true,
  };
  return await run(context, operator.value);
}
