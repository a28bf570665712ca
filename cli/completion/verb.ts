// `tillwatch completion SHELL` prints a script for that shell; the hidden `__complete` is what the scripts
// call at every Tab. It never fails and never says anything but words, because a shell would show it in
// the middle of what a person types.

import type { Command } from 'commander';
import { createClient, type TerminalView } from '../client.ts';
import { example, print, type Verb } from '../command.ts';
import { isContextName, readContexts } from '../contexts.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { didYouMean } from '../nearest.ts';
import { findOperator } from '../operator.ts';
import { complete, type Names, safeNames, suggestionLine } from './complete.ts';
import { SCRIPTS, SET_UP, SHELLS } from './scripts.ts';

export const COMPLETE = '__complete';
/** Who presses Tab waits no longer; then there are no names. */
const NAMES_MS_MAX = 700;
const NAMES_MAX = 500;

export function addCompletion(program: Command, verb: Verb): void {
  const command = program
    .command('completion')
    .argument('<shell>', SHELLS.join(', '))
    .description('print a script that completes verbs, options and names at Tab')
    .action((shell: string) => verb(async () => printScript(shell)));
  example(
    command,
    'eval "$(tillwatch completion bash)"      # this session',
    ...SHELLS.map((shell) => SET_UP[shell] ?? ''),
  );
}

function printScript(shell: string): Outcome {
  const script = SCRIPTS[shell];
  if (script === undefined) {
    const sentence = `there is no completion for "${shell}", only for ${SHELLS.join(', ')}`;
    return ended(EXIT.usage, sentence + didYouMean(shell, SHELLS));
  }
  print(script.trimEnd());
  return done;
}

function namesFromBroker(): Names {
  const operator = findOperator(process.env, process.cwd());
  const client = operator.ok ? createClient(operator.value, NAMES_MS_MAX) : undefined;
  /** One page: nobody reads more words than that. */
  const views = async (part: string): Promise<readonly TerminalView[]> => {
    const search = part === '' ? '' : `&search=${encodeURIComponent(part)}`;
    const path = `/api/v1/terminals?limit=${NAMES_MAX}${search}`;
    const reply = await client?.get<{ terminals: TerminalView[] }>(path, ['terminals']);
    return reply?.ok === true ? reply.value.terminals : [];
  };
  return {
    contexts: () => {
      const contexts = readContexts(process.env);
      return contexts.ok ? Object.keys(contexts.value.contexts).filter(isContextName) : [];
    },
    terminals: async (typed) => safeNames((await views(typed)).map(({ id }) => id)),
    stores: async () => safeNames((await views('')).map(({ store }) => store)),
    configurations: async () => {
      type Named = { configurations: readonly { name: string }[] };
      const reply = await client?.get<Named>('/api/v1/configurations', ['configurations']);
      return reply?.ok === true
        ? safeNames(reply.value.configurations.map(({ name }) => name))
        : [];
    },
    components: async (terminal) => {
      if (terminal === undefined) {
        const all = await views('');
        return safeNames(all.flatMap(({ components }) => components.map(({ name }) => name)));
      }
      if (safeNames([terminal]).length === 0) return [];
      const reply = await client?.get<TerminalView>(`/api/v1/terminals/${terminal}`, [
        'components',
      ]);
      return reply?.ok === true ? safeNames(reply.value.components.map(({ name }) => name)) : [];
    },
  };
}

export async function runComplete(program: Command, words: readonly string[]): Promise<void> {
  try {
    const found = await complete(program, words, namesFromBroker());
    for (const suggestion of found) print(suggestionLine(suggestion));
  } catch {
    // Nothing to complete with; the person goes on typing.
  }
}
