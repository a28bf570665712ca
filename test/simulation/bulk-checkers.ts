// Judges of a bulk action that share no code with it: they keep their own books of what was asked of whom and when it
// was answered, and know the rules as sentences.

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
  readonly storeOf: ReadonlyMap<string, string>;
  readonly storeSizes: ReadonlyMap<string, number>;
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
  const open = book.asked.filter(({ state }) => state === 'sent');
  const store = book.storeOf.get(terminal) ?? '';
  const half = Math.floor((book.storeSizes.get(store) ?? 0) / 2);
  const there = open.filter((one) => book.storeOf.get(one.terminal) === store).length;
  must(there + 1 <= Math.max(1, half), 'more than half of a store', next);
  must(open.length + 1 <= (list?.most ?? 0), 'more than its share of the fleet', next);
}
