// How a person says on the command line which terminals are meant: --store, --region, --label and the like, the same for
// every verb that takes them. A verb says which of them it knows; what the broker gets is one selector, in which
// everything that is said holds for each terminal.

import type { Command } from 'commander';
import { parseId } from '../protocol/ids.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import type { Options } from './command.ts';

/** As broker/bulk/select.ts takes it. */
export type Selector = {
  readonly terminals?: readonly string[];
  readonly store?: string;
  readonly region?: string;
  readonly label?: string;
  /** COMPONENT:VERSION. */
  readonly version?: string;
  readonly state?: string;
  readonly presence?: string;
  readonly all?: boolean;
};

const each = (value: string, before: readonly string[] = []): string[] => [...before, value];

const FLAGS = {
  terminal: ['--terminal <terminal>', 'this one; more than once for several'],
  store: ['--store <store>', 'those of this store'],
  region: ['--region <region>', 'those of stores in this region'],
  label: ['--label <label>', 'those that carry this label, or whose store does'],
  runs: ['--runs <component:version>', 'those that run this version, as in sale:2.4.1'],
  state: ['--state <state>', 'those with a component in this state'],
  presence: ['--presence <presence>', 'those that are online, late, lost or never reported'],
  all: ['--all', 'the whole fleet'],
} as const;
export type SelectorOption = keyof typeof FLAGS;
export const SELECTOR_OPTIONS = Object.keys(FLAGS) as readonly SelectorOption[];

const FIELD_OF: Readonly<Record<SelectorOption, keyof Selector>> = {
  ...{ terminal: 'terminals', store: 'store', region: 'region', label: 'label', runs: 'version' },
  ...{ state: 'state', presence: 'presence', all: 'all' },
};

/** @param which of them the verb knows, in the order in which its help shows them. */
export function addSelector(
  command: Command,
  which: readonly SelectorOption[] = SELECTOR_OPTIONS,
): Command {
  for (const option of which) {
    const [flags, about] = FLAGS[option];
    if (option === 'terminal') command.option(flags, about, each);
    else command.option(flags, about);
  }
  return command;
}

/** @returns what is wrong with it, so that nobody has to ask the broker to find out. */
function wrongValue(option: SelectorOption, value: string): string | undefined {
  // Left out, it would be about more than somebody meant whose variable is empty.
  if (value.trim() === '') return `--${option} is empty`;
  if (option === 'terminal' || option === 'store') {
    const named = parseId(option, value);
    return named.ok ? undefined : `--${option}: ${named.reason}`;
  }
  if (option === 'runs' && !/^[^:]+:.+$/.test(value)) {
    return '--runs: write COMPONENT:VERSION, such as sale:2.4.1';
  }
  return undefined;
}

/** @returns undefined where nothing was said: whether that is wrong, the verb knows. */
export function readSelector(
  options: Options,
  which: readonly SelectorOption[] = SELECTOR_OPTIONS,
): Result<Selector | undefined> {
  const said: [keyof Selector, unknown][] = [];
  for (const option of which) {
    const value = options[option];
    if (value === undefined || value === false) continue;
    for (const one of [value].flat()) {
      const wrong = typeof one === 'string' ? wrongValue(option, one) : undefined;
      if (wrong !== undefined) return fail(wrong);
    }
    said.push([FIELD_OF[option], value]);
  }
  return ok(said.length === 0 ? undefined : (Object.fromEntries(said) as Selector));
}

/** `--store, --region or --label`, for sentences. */
export function optionNames(which: readonly SelectorOption[]): string {
  const names = which.map((option) => `--${option}`);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} or ${last}`;
}
