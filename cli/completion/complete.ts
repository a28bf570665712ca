// Which words may come next on a command line, for the shell scripts of scripts.ts. Verbs and options are
// read from Commander's own tree, so a new one is completed without a word here; names of terminals and
// components come from the broker, within a time that a person who pressed Tab does not notice. A broker
// that is not there is no error here: then there are no names.

import type { Command, Option } from 'commander';
import { COMMAND_KINDS, catalogue, LOG_LEVELS, ROLES } from '../../protocol/catalogue.ts';
import { DRILL_FAULTS } from '../../protocol/commands.ts';
import { DRILL_LINES } from '../../protocol/drill.ts';
import { EVENT_KINDS } from '../../protocol/events.ts';
import { isId } from '../../protocol/ids.ts';
import { ERROR_LEVELS, REQUEST_KINDS, REQUEST_STATES } from '../logs/kinds.ts';
import { SHELLS } from './scripts.ts';

export const FILES = ':files';
/** What can be done to many terminals at once. */
const BULK_ACTIONS = COMMAND_KINDS.filter((kind) => catalogue[kind].bulk && kind !== 'apply').map(
  (kind) => kind.replaceAll('_', '-'),
);

/** Where a name alone would mislead: of this verb it means something else. */
const OF_ONE_VERB: Readonly<Record<string, readonly string[]>> = {
  'requests id': [],
  'requests state': REQUEST_STATES,
  'requests what': REQUEST_KINDS,
  'errors level': ERROR_LEVELS,
  'set role': ['candidate', 'control'],
  'add do': ['restart-all', 'reboot', 'observe'],
  // How many records around one, and no place that somebody signed in to.
  'logs context': [],
};

export type Suggestion = { readonly word: string; readonly about: string };
/** Where names come from; both empty when the broker does not answer in time. */
export type Names = {
  /** @param typed what is there of it already; more than fits it may be answered */
  readonly terminals: (typed: string) => Promise<readonly string[]>;
  readonly stores: () => Promise<readonly string[]>;
  /** Of the fleet. */
  readonly configurations?: () => Promise<readonly string[]>;
  /** That this person has signed in to. */
  readonly contexts?: () => readonly string[];
  /** Of one terminal, or of the whole fleet when none was named yet. */
  readonly components: (terminal: string | undefined) => Promise<readonly string[]>;
};

type Line = {
  readonly verb: Command;
  /** Words that are no options, without the verb. */
  readonly given: readonly string[];
  /** Values of options that were given, by their long name. */
  readonly values: ReadonlyMap<string, string>;
  readonly used: ReadonlySet<string>;
  /** The option whose value is being typed. */
  readonly open: Option | undefined;
  readonly endsOptions: boolean;
};

const takesValue = (option: Option): boolean => option.required || option.optional;
const plain = (words: readonly string[], about: string): Suggestion[] =>
  words.map((word) => ({ word, about }));

/** Reads the words before the cursor as Commander would, without its errors. */
function readLine(program: Command, words: readonly string[]): Line {
  let verb = program;
  let open: Option | undefined;
  let endsOptions = false;
  const given: string[] = [];
  const values = new Map<string, string>();
  const used = new Set<string>();
  for (const word of words) {
    const [flag = '', value] = word.split(/=(.*)/s);
    const option = [...verb.options, ...program.options].find(
      ({ short, long }) => flag === short || flag === long,
    );
    if (open !== undefined) {
      values.set(open.attributeName(), word);
      open = undefined;
    } else if (!endsOptions && word === '--') endsOptions = true;
    else if (!endsOptions && word.startsWith('-')) {
      if (option === undefined) continue;
      used.add(option.attributeName());
      if (value !== undefined) values.set(option.attributeName(), value);
      else if (takesValue(option)) open = option;
    } else {
      const next = verb.commands.find((one) => one.name() === word);
      if (next === undefined) given.push(word);
      else verb = next;
    }
  }
  return { verb, given, values, used, open, endsOptions };
}

/** What may stand where a value is named so: `<terminal>`, `--terminal <id>`, `--config <file>`. */
async function valuesFor(
  names: readonly string[],
  line: Line,
  typed: string,
  ask: Names,
): Promise<readonly Suggestion[]> {
  const terminal = line.values.get('terminal') ?? line.given[0];
  for (const name of names) {
    const own = OF_ONE_VERB[`${line.verb.name()} ${name}`];
    if (own !== undefined) return plain(own, name);
    if (name === 'terminal' || name === 'terminals')
      return plain(await ask.terminals(typed), 'terminal');
    if (name === 'store') return plain(await ask.stores(), 'store');
    if (name === 'name' && line.verb.parent?.name() === 'config') {
      return plain((await ask.configurations?.()) ?? [], 'configuration');
    }
    if (name === 'component') return plain(await ask.components(terminal), 'component');
    if (name === 'kind') return plain(EVENT_KINDS, 'kind of event');
    if (name === 'fault') {
      return DRILL_FAULTS.map((word) => ({ word, about: DRILL_LINES[word] }));
    }
    if (name === 'action') return plain(BULK_ACTIONS, 'for many terminals');
    if (name === 'level') return plain(LOG_LEVELS, 'level');
    if (name === 'context') return plain(ask.contexts?.() ?? [], 'context');
    if (name === 'role') return plain(ROLES, 'role');
    if (name === 'shell') return plain(SHELLS, 'shell');
    if (name === 'file' || name === 'dir') return [{ word: FILES, about: '' }];
  }
  return [];
}

const valueName = (option: Option): string => /[<[]([^>\].]+)/.exec(option.flags)?.[1] ?? '';

function optionsOf({ verb, used }: Line): Suggestion[] {
  const own = verb.options
    // One that is a list may come again.
    .filter((one) => !one.hidden && (!used.has(one.attributeName()) || one.variadic))
    .map((one) => ({ word: one.long ?? one.short ?? '', about: one.description }));
  return [...own, { word: '--help', about: 'display help' }];
}

const verbsOf = ({ verb }: Line): Suggestion[] =>
  verb.commands
    .filter((one) => !(one as { _hidden?: boolean })._hidden)
    .map((one) => ({ word: one.name(), about: one.description() }));

/** Which words may stand next, right or wrong for what is typed of them already. */
async function wordsFor(line: Line, current: string, ask: Names): Promise<readonly Suggestion[]> {
  if (line.open !== undefined) {
    return await valuesFor([line.open.attributeName(), valueName(line.open)], line, current, ask);
  }
  if (current.startsWith('-') && !line.endsOptions) return optionsOf(line);
  // A verb of a verb, or what it takes itself.
  const verbs = line.given.length === 0 ? verbsOf(line) : [];
  return [...verbs, ...(await argumentFor(line, current, ask))];
}

async function argumentFor(
  line: Line,
  current: string,
  ask: Names,
): Promise<readonly Suggestion[]> {
  const { registeredArguments: own } = line.verb;
  const last = own.at(-1);
  const argument = own[line.given.length] ?? (last?.variadic === true ? last : undefined);
  if (argument === undefined) {
    return line.endsOptions || line.verb.commands.length > 0 ? [] : optionsOf(line);
  }
  const names = argument.name() === 'id' ? ['id', 'terminal'] : [argument.name()];
  const found = await valuesFor(names, line, current, ask);
  // One that may be left out: what may stand there otherwise.
  return found.length === 0 && !argument.required ? optionsOf(line) : found;
}

/**
 * @param words what stands after `tillwatch`, up to the cursor; the last is being typed and may be empty
 * @returns what it may become
 */
export async function complete(
  program: Command,
  words: readonly string[],
  ask: Names,
): Promise<readonly Suggestion[]> {
  // bash makes three words of --kind=x, and leaves the joining to us.
  const whole = words.filter((word) => word !== '=');
  const current = words.at(-1) === '=' ? '' : (whole.pop() ?? '');
  const [flag = '', value] = current.split(/=(.*)/s);
  if (flag.startsWith('--') && value !== undefined) {
    const found = await wordsFor(readLine(program, [...whole, flag]), value, ask);
    return found
      .map(({ word, about }) => ({ word: word === FILES ? word : `${flag}=${word}`, about }))
      .filter(({ word }) => word === FILES || word.startsWith(current));
  }
  const found = await wordsFor(readLine(program, whole), current, ask);
  return found.filter(({ word }) => word === FILES || word.startsWith(current));
}

/** Names are looked at, not believed: a shell gets them. */
export const safeNames = (names: readonly string[]): string[] => [...new Set(names)].filter(isId);

export const suggestionLine = ({ word, about }: Suggestion): string =>
  about === '' ? word : `${word}\t${about}`;
