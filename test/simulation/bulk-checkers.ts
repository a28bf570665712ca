// Judges of a bulk action that share no code with it: they keep their own books of what was asked of whom and when it
// was answered, and know the rules as sentences.

import type { BulkModel } from '../../broker/bulk/model.ts';
import type { QueueState } from '../../broker/commands/queue.ts';

export type Asked = {
  readonly bulk: string;
  readonly command: string;
  readonly terminal: string;
  readonly atMs: number;
  /** What the queue knows. */
  readonly state: QueueState;
};

export type Book = {
  readonly asked: Asked[];
  readonly aborted: Map<string, number>;
  readonly paused: Map<string, boolean>;
  readonly lists: Map<string, { readonly terminals: ReadonlySet<string>; readonly most: number }>;
  /** Where each stands now. */
  readonly storeOf: Map<string, string>;
  /** Who cannot sell now. */
  readonly away: Set<string>;
  /** Who never comes back: it is in nobody's way and counts nowhere. */
  readonly retired: Set<string>;
};

export class Broken extends Error {}
const must = (holds: boolean, rule: string, { bulk, terminal, atMs }: Asked): void => {
  if (!holds) throw new Broken(`${rule} (${bulk}, ${terminal}, at ${atMs} ms)`);
};

/** @param next is about to be asked. */
export function checkIssue(book: Book, next: Asked): void {
  const { bulk, terminal } = next;
  const list = book.lists.get(bulk);
  must(list?.terminals.has(terminal) === true, 'a terminal outside of the frozen list', next);
  const twice = book.asked.some((one) => one.bulk === bulk && one.terminal === terminal);
  must(!twice, 'a second command for one terminal', next);
  must(!book.aborted.has(bulk), 'a command after the abort', next);
  must(book.paused.get(bulk) !== true, 'a command while it is paused', next);
  must(!book.retired.has(terminal), 'a command for a retired terminal', next);
  const open = book.asked.filter((one) => one.state === 'sent' && !book.retired.has(one.terminal));
  const busy = new Set(open.map((one) => one.terminal)).add(terminal);
  const inStore = [...book.storeOf].filter(([, store]) => store === book.storeOf.get(terminal));
  const atIt = inStore.filter(([id]) => busy.has(id)).length;
  const selling = inStore.filter(
    ([id]) => !busy.has(id) && !book.away.has(id) && !book.retired.has(id),
  ).length;
  must(atIt === 1 || atIt <= selling, 'more than half of what sells in a store', next);
  must(open.length + 1 <= (list?.most ?? 0), 'more than its share of the fleet', next);
}

const ENDED: readonly string[] = ['succeeded', 'failed', 'skipped'];

/** @param model as it is on disk after it has looked around. */
export function checkSettled(book: Book, { id, state, targets }: BulkModel, atMs: number): void {
  if (state === 'planned' || state === 'expired') return;
  for (const target of targets) {
    const isOpen = book.retired.has(target.terminal) && !ENDED.includes(target.state);
    const seen = { bulk: id, command: '', terminal: target.terminal, atMs, state: 'sent' } as const;
    must(!isOpen, 'a retired terminal is waited for', seen);
  }
}
