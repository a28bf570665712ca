// Which terminals somebody means, as a list that does not change any more. Whoever cannot be meant is left out with a
// sentence: a name that is none is a mistake, a terminal that is suspended or lacks the component is not. The list
// goes round the stores, so that a wave is spread over them.

import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { checkContent } from '../commands/request.ts';
import { isServed, type StateOf } from '../commands/standing.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Presence, TerminalView } from '../fleet/view.ts';
import type { LeftOut } from './model.ts';

/** As many as one broker has. */
export const BULK_TARGETS_MAX = 20_000;
const NAMED_MAX = 5;

export type Selector = {
  readonly terminals?: readonly string[] | undefined;
  readonly store?: string | undefined;
  /** COMPONENT:VERSION that it runs. */
  readonly version?: string | undefined;
  /** A component of it is in this state. */
  readonly state?: string | undefined;
  readonly presence?: Presence | undefined;
  /** Of its store. */
  readonly region?: string | undefined;
  /** It or its store carries this one. */
  readonly label?: string | undefined;
  /** The whole fleet has to be said. */
  readonly all?: boolean | undefined;
};

export type Chosen = { readonly terminal: string; readonly store: string };
export type Selection = {
  readonly chosen: readonly Chosen[];
  readonly leftOut: readonly LeftOut[];
  readonly fleetSize: number;
};

export type SelectOptions = {
  readonly fleet: Pick<Fleet, 'search'>;
  readonly stateOf: StateOf;
  readonly leaveOut?: LeaveOut | undefined;
};
/** @returns why not this one, or nothing. */
export type LeaveOut = (view: TerminalView) => string | undefined;

const VERSION = /^([^:]+):(.+)$/;

const NOTHING_SAID =
  'selector: say which terminals: terminals, store, region, version, state, presence or label; ' +
  'all: true is the whole fleet';

export function isEmpty({ all, ...said }: Selector): boolean {
  return all !== true && Object.values(said).every((one) => one === undefined);
}

/** One of each store, then the next of each. */
function roundStores(chosen: readonly Chosen[]): readonly Chosen[] {
  const stores = new Map<string, Chosen[]>();
  for (const one of chosen) {
    const store = stores.get(one.store) ?? [];
    store.push(one);
    stores.set(one.store, store);
  }
  const round: Chosen[] = [];
  for (let place = 0; round.length < chosen.length; place += 1) {
    for (const store of stores.values()) {
      const one = store[place];
      if (one !== undefined) round.push(one);
    }
  }
  return round;
}

function findViews({ fleet }: SelectOptions, selector: Selector): Result<readonly TerminalView[]> {
  const { store, region, label, state, presence, version: text, terminals } = selector;
  const [, component, version] = VERSION.exec(text ?? '') ?? [];
  if (text !== undefined && (component === undefined || version === undefined)) {
    return fail('selector.version: write COMPONENT:VERSION, such as sale:2.4.1');
  }
  const by = component === undefined || version === undefined ? undefined : { component, version };
  const page = { sort: 'id', limit: BULK_TARGETS_MAX } as const;
  const found = fleet.search({ store, region, label, state, presence, version: by, ...page });
  if (!found.ok) return found;
  if (found.value.total > BULK_TARGETS_MAX) {
    return fail(`selector: at most ${BULK_TARGETS_MAX} terminals fit one bulk action`);
  }
  if (terminals === undefined) return ok(found.value.terminals);
  const wanted = new Set(terminals);
  return ok(found.value.terminals.filter(({ id }) => wanted.has(id)));
}

export function select(
  options: SelectOptions,
  selector: Selector,
  content: { readonly kind: string; readonly arguments: unknown },
): Result<Selection> {
  if (isEmpty(selector)) return fail(NOTHING_SAID);
  const all = options.fleet.search({ sort: 'id', limit: BULK_TARGETS_MAX });
  if (!all.ok) return all;
  const known = new Set(all.value.terminals.map(({ id }) => id));
  const strangers = (selector.terminals ?? []).filter((id) => !known.has(id));
  if (strangers.length > 0) {
    const names = strangers.slice(0, NAMED_MAX).map((id) => (isId(id) ? id : id.slice(0, 32)));
    const more = strangers.length > NAMED_MAX ? ` and ${strangers.length - NAMED_MAX} more` : '';
    return fail(`selector.terminals: not in this fleet: ${names.join(', ')}${more}`);
  }
  const found = findViews(options, selector);
  if (!found.ok) return found;
  const chosen: Chosen[] = [];
  const leftOut: LeftOut[] = [];
  for (const view of found.value) {
    const { id: terminal, store } = view;
    const standing = options.stateOf(terminal);
    const right = checkContent(content, view);
    const why = options.leaveOut?.(view);
    if (!isServed(standing)) leftOut.push({ terminal, reason: `it is ${standing}` });
    else if (why !== undefined) leftOut.push({ terminal, reason: why });
    else if (right.ok) chosen.push({ terminal, store });
    else leftOut.push({ terminal, reason: right.reason });
  }
  if (chosen.length === 0) {
    const why = leftOut[0] === undefined ? '' : `: ${leftOut[0].terminal}: ${leftOut[0].reason}`;
    return fail(`selector: no terminal is left${why}`);
  }
  return ok({
    chosen: roundStores(chosen),
    leftOut,
    fleetSize: known.size,
  });
}
