// What a file of stores would change: shown first, and applied only if it is still the same. Pure. Of a terminal that an
// operator moved, the file holds only where it says something else than it said before; one that is retired stays
// retired. Either is said, because somebody was right and it may not have been the file. What a file no longer
// names stays, unless the operator asks to remove it.

import { createHash } from 'node:crypto';
import { textOf } from './shape.ts';
import type { PlannedTerminal, Store } from './types.ts';

/**
 * In the order in which a person should read them. `kept`: an operator's word goes before the file's; `dropped`: a
 * terminal is not named any more, and stays; `named`: it stood there without the file.
 */
export const CHANGE_KINDS = [
  ...(['removed', 'moved', 'kept', 'retired', 'dropped'] as const),
  ...(['changed', 'added', 'planned', 'named'] as const),
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export type Field = { readonly field: string; readonly before: string; readonly after: string };
export type Change = {
  readonly kind: ChangeKind;
  readonly store: string;
  /** For a person, without the name of the store in front. */
  readonly sentence: string;
  readonly fields?: readonly Field[];
  readonly terminals?: readonly string[];
};

/** What the fleet says of terminals now. */
export type Standing = {
  /** Undefined: nobody planned it, or it is retired. */
  readonly storeOf: (terminal: string) => string | undefined;
  readonly isRetired: (terminal: string) => boolean;
  /** How many stand there. */
  readonly countOf: (store: string) => number;
};

/** Stores, of which `absent` are not in the file and not removed; and terminals that are planned and moved. */
type Counted = 'added' | 'changed' | 'removed' | 'same' | 'absent' | 'planned' | 'moved';

export type Difference = {
  readonly changes: readonly Change[];
  readonly write: readonly Store[];
  readonly remove: readonly string[];
  readonly plan: readonly Placed[];
  readonly move: readonly Placed[];
  readonly counts: Readonly<Record<Counted, number>>;
  readonly absent: readonly string[];
  /** Over all that is shown. */
  readonly digest: string;
};
type Placed = { readonly terminal: string; readonly store: string };

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Order means nothing in a file: the same store is the same text. */
function normalise(store: Store): Store {
  const sorted = ({ id, labels }: PlannedTerminal) => ({ id, labels: labels.toSorted(byText) });
  return {
    ...store,
    labels: store.labels.toSorted(byText),
    exceptions: store.exceptions.toSorted((a, b) => byText(a.from, b.from)),
    terminals: store.terminals.map(sorted).toSorted((a, b) => byText(a.id, b.id)),
  };
}

const NONE = '-';
/** What a store says of itself, flat and in words; of its terminals only their labels. */
function factsOf(store: Store): Map<string, string> {
  const { hours, exceptions = [], labels = [], ...text } = textOf(store);
  const facts = new Map<string, string>();
  for (const field of ['name', 'region', 'timeZone', 'lanes'] as const) {
    if (text[field] !== undefined) facts.set(field, String(text[field]));
  }
  for (const [day, of] of Object.entries(hours ?? {})) facts.set(`hours.${day}`, of);
  for (const { from, to, hours: of, reason } of exceptions) {
    const why = reason === undefined ? '' : ` (${reason})`;
    facts.set(`exceptions.${from === to ? from : `${from}..${to}`}`, `${of}${why}`);
  }
  if (labels.length > 0) facts.set('labels', labels.join(' '));
  for (const one of store.terminals) {
    if (one.labels.length > 0) facts.set(`terminals.${one.id}`, one.labels.join(' '));
  }
  return facts;
}

function fieldsBetween(before: Store, after: Store): Field[] {
  const was = factsOf(before);
  const is = factsOf(after);
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((field) => {
    const change = { field, before: was.get(field) ?? NONE, after: is.get(field) ?? NONE };
    return change.before === change.after ? [] : [change];
  });
}

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

type Judged = { readonly kind: ChangeKind | 'nothing'; readonly sentence: string };
/** @param told where the file named it before. */
function judge(id: string, where: string, told: string | undefined, standing: Standing): Judged {
  if (standing.isRetired(id)) {
    const back = `tillwatch enroll --store ${where} --terminal ${id}`;
    return {
      kind: 'retired',
      sentence: `${id} is retired and stays so; to bring it back: ${back}`,
    };
  }
  const stands = standing.storeOf(id);
  if (stands === undefined) return { kind: 'planned', sentence: '' };
  if (stands === where) return { kind: told === where ? 'nothing' : 'named', sentence: '' };
  if (told === where) {
    const why = `${id} was moved to ${stands} by an operator and stays there`;
    return { kind: 'kept', sentence: `${why}: name it there in the file` };
  }
  const since =
    told === undefined || told === stands ? '' : `, where an operator had moved it from ${told}`;
  return { kind: 'moved', sentence: `${id} comes here from ${stands}${since}` };
}

const plannedWords = (planned: readonly string[]): string =>
  `${plural(planned.length, 'terminal')} planned: ${planned.join(', ')}`;

function terminalsOf(store: Store, told: ReadonlyMap<string, string>, standing: Standing) {
  const changes: Change[] = [];
  const of: Record<'planned' | 'named' | 'moved', string[]> = { planned: [], named: [], moved: [] };
  for (const { id } of store.terminals) {
    const { kind, sentence } = judge(id, store.id, told.get(id), standing);
    if (kind === 'planned' || kind === 'named' || kind === 'moved') of[kind].push(id);
    if (sentence === '' || kind === 'nothing') continue;
    changes.push({ kind, store: store.id, sentence, terminals: [id] });
  }
  const { named } = of;
  if (named.length > 0) {
    const sentence = `the file names what stands there: ${named.join(', ')}`;
    changes.push({ kind: 'named', store: store.id, sentence, terminals: named });
  }
  return { changes, ...of };
}

function addedWords({ region, timeZone, hours, terminals, lanes }: Store): string {
  const of = lanes ?? terminals.length;
  const known = hours === undefined ? ', its hours not known' : '';
  return `new store in ${region}, ${timeZone}${known}, ${plural(of, 'lane')} expected`;
}

const textKey = (store: Store): string => JSON.stringify(textOf(store));

/** @param planned terminals that it brings; of a new store they stand beside it. */
function compareOne(before: Store | undefined, after: Store, planned: readonly string[]): Change[] {
  const store = after.id;
  const some = planned.length > 0 && { terminals: planned };
  const words = planned.length > 0 ? plannedWords(planned) : '';
  if (before === undefined) {
    const sentence = `${addedWords(after)}${words && `; ${words}`}`;
    return [{ kind: 'added', store, sentence, ...some }];
  }
  const changes: Change[] = [];
  const fields = fieldsBetween(before, after);
  if (fields.length > 0) {
    const says = fields.map((one) => `${one.field} ${one.before} -> ${one.after}`);
    changes.push({ kind: 'changed', store, sentence: says.join('; '), fields });
  }
  if (words !== '') changes.push({ kind: 'planned', store, sentence: words, ...some });
  return changes;
}

/** Terminals that the file named before and no longer names; where they stand they stay. */
function droppedOf(
  told: ReadonlyMap<string, string>,
  after: readonly Store[],
  absent: ReadonlySet<string>,
  standing: Standing,
): Change[] {
  const named = new Set(after.flatMap(({ terminals }) => terminals.map(({ id }) => id)));
  return [...told].flatMap(([terminal, store]): Change[] => {
    const stands = standing.storeOf(terminal);
    if (named.has(terminal) || absent.has(store) || stands === undefined) return [];
    const stays = `${terminal} is not named any more and stays in ${stands}`;
    const sentence = `${stays}; to take it out: tillwatch terminal retire ${terminal}`;
    return [{ kind: 'dropped', store, sentence, terminals: [terminal] }];
  });
}

/** @param before what is known now, by id. @param after what the file says. */
export function differenceOf(
  before: ReadonlyMap<string, Store>,
  after: readonly Store[],
  standing: Standing,
  prune: boolean,
): Difference {
  const wanted = after.map(normalise);
  const told = new Map<string, string>();
  for (const { id, terminals } of before.values())
    for (const one of terminals) told.set(one.id, id);
  const inFile = new Set(wanted.map(({ id }) => id));
  const missing = [...before.keys()].filter((id) => !inFile.has(id)).sort(byText);
  const remove = prune ? missing : [];
  const absent = prune ? [] : missing;
  const write = wanted.filter((store) => {
    const known = before.get(store.id);
    return known === undefined || textKey(known) !== textKey(store);
  });
  const found = wanted.flatMap((store) => {
    const { changes, ...placed } = terminalsOf(store, told, standing);
    const own = compareOne(before.get(store.id), store, placed.planned);
    return [{ store: store.id, ...placed, changes: [...own, ...changes] }];
  });
  const removed = remove.map((store): Change => {
    const left = standing.countOf(store);
    const stay =
      left === 0
        ? ''
        : `; ${plural(left, 'terminal')} of it stay${left === 1 ? 's' : ''} in the fleet`;
    return { kind: 'removed', store, sentence: `the store is forgotten${stay}` };
  });
  const dropped = droppedOf(told, wanted, new Set(absent), standing);
  const changes = [...removed, ...dropped, ...found.flatMap((one) => one.changes)].sort(
    (a, b) => CHANGE_KINDS.indexOf(a.kind) - CHANGE_KINDS.indexOf(b.kind),
  );
  const placed = (of: 'planned' | 'moved'): Placed[] =>
    found.flatMap((one) => one[of].map((terminal) => ({ terminal, store: one.store })));
  const [plan, move] = [placed('planned'), placed('moved')];
  const added = write.filter(({ id }) => !before.has(id)).length;
  const changed = write.length - added;
  return {
    ...{ changes, write, remove, absent },
    ...{ plan, move },
    counts: {
      ...{ added, changed, removed: remove.length, absent: absent.length },
      ...{ same: wanted.length - write.length, planned: plan.length, moved: move.length },
    },
    digest: createHash('sha256')
      .update(JSON.stringify([changes, absent]))
      .digest('hex'),
  };
}
