// The work items of a component, kept so that they can be said again to an agent that comes later; like client.ts
// it runs inside the component. Work that is done within a moment is never spoken of, and progress not more often
// than anybody could use it: ten thousand quick requests in a queue would otherwise make beats wait behind them,
// and look like a hang.

import type { FromComponent } from './messages.ts';

export type WorkItem = {
  /** The work moves on: its deadline counts anew from now. */
  readonly touch: () => void;
  readonly end: (ok?: boolean) => void;
};

/** More open items than this are not watched; a leak of items must not become a leak of memory. */
const WORK_ITEMS_MAX = 256;
/** Work is told once it has lasted about so long, and its progress at most so often. */
const TELL_MS = 250;
/** Delays the kill of a component that hangs (design.md, Recovery ladder). */
const TENDER = /^tender(:|$)/;
const TEXT_CHARS_MAX = 500;
const MS_MAX = 86_400_000;

/** As the channel takes it (messages.ts). Never within digits: half a card number would pass the redactor. */
export const cut = (text: string): string =>
  text.length <= TEXT_CHARS_MAX ? text : text.slice(0, TEXT_CHARS_MAX).replace(/\d[\d .+-]*$/, '');
export const cutMs = (ms: number): number => (ms > 0 ? Math.min(ms, MS_MAX) : 0);

type Item = {
  readonly name: string;
  readonly deadlineMs: number;
  sinceMs: number;
  told: boolean;
  /** Since it was told. */
  touched: boolean;
};

export class WorkItems {
  readonly #send: (message: FromComponent) => void;
  readonly #items = new Map<string, Item>();
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(send: (message: FromComponent) => void) {
    this.#send = send;
  }

  begin(name: string, deadline: number): WorkItem {
    this.#lastId += 1;
    const id = String(this.#lastId);
    const deadlineMs = cutMs(deadline);
    const sinceMs = performance.now();
    if (this.#items.size < WORK_ITEMS_MAX) {
      this.#items.set(id, { name: cut(name), deadlineMs, sinceMs, told: false, touched: false });
      // A kill must know of money that moves from its first moment; a till has one tender at a time.
      if (TENDER.test(name)) this.#tell();
      else this.#tellSoon();
    }
    return { touch: () => this.#touch(id), end: (ok = true) => this.#end(id, ok) };
  }

  /** To an agent that may know none of it. */
  tellAgain(): void {
    for (const item of this.#items.values()) item.told = false;
    this.#tell();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #touch(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    item.sinceMs = performance.now();
    item.touched = true;
    this.#tellSoon();
  }

  #end(id: string, ok: boolean): void {
    const item = this.#items.get(id);
    this.#items.delete(id);
    if (item?.told) this.#send({ kind: 'end', id, ok });
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => this.#tell(), TELL_MS).unref();
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [id, item] of this.#items) {
      const { name, deadlineMs, sinceMs } = item;
      const leftMs = cutMs(sinceMs + deadlineMs - performance.now());
      if (!item.told) this.#send({ kind: 'begin', id, name, deadlineMs, leftMs });
      else if (item.touched) this.#send({ kind: 'touch', id });
      item.told = true;
      item.touched = false;
    }
  }
}
