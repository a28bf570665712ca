// The history's thread: opens its file and the ledger (to read), and lets the engine turn. Whatever SQLite
// cannot do (a full disk) is said and tried again; a bug ends the thread, and broker/worker.ts starts it anew.

import { DatabaseSync } from 'node:sqlite';
import { systemClock, systemTimers } from '../clock.ts';
import { isDatabaseError } from '../fleet/database.ts';
import { openReader } from '../ledger-reader.ts';
import { attachWorker } from '../worker.ts';
import { Engine } from './engine.ts';
import type { FromHistory, HistoryData, ToHistory } from './messages.ts';
import { openHistoryStore } from './store.ts';

/** Time alone makes rows due. */
const TICK_MS = 2_000;
/** A commit of the ledger is waited for so long, so that rows are read together. */
const GATHER_MS = 500;
const RETRY_MS = 5_000;
/** Pressed so long without being able to write: what waits is given up, or the ledger would stay full. */
const PRESSED_MS_MAX = 60_000;

const { data, post } = attachWorker<HistoryData, ToHistory, FromHistory>(onMessage, () => {
  cancel?.();
  engine.close();
});
const db = new DatabaseSync(data.ledgerPath, { readOnly: true, timeout: 2_000 });
const newest = db.prepare('SELECT max(id) AS id FROM batch');
const one = db.prepare('SELECT body FROM batch WHERE id = ?');
const ledger = {
  readAfter: openReader(db),
  newestId: () => Number(newest.get()?.['id'] ?? 0),
  read: (id: number): Uint8Array | undefined => {
    const body = one.get(id)?.['body'];
    return body instanceof Uint8Array ? body : undefined;
  },
};
const warn = (sentence: string): void => post({ kind: 'warning', sentence });
const { path, generation, daysMax, bytesMax } = data;
const store = openHistoryStore(path, generation, warn);
const engine = new Engine({ store, ledger, nowMs: systemClock.wallMs, daysMax, bytesMax });

let cancel: (() => void) | undefined;
let stalledMs: number | undefined;
let pressed = false;

function stall(cause: unknown): void {
  if (!isDatabaseError(cause)) throw cause;
  if (stalledMs === undefined) post({ kind: 'stalled', reason: cause.message });
  stalledMs ??= systemClock.monotonicMs();
  if (pressed && systemClock.monotonicMs() - stalledMs > PRESSED_MS_MAX) engine.giveUp();
  wake(RETRY_MS);
}

function recover(): void {
  if (stalledMs !== undefined) post({ kind: 'stalled', reason: undefined });
  stalledMs = undefined;
  pressed = false;
}

function run(): void {
  cancel = undefined;
  try {
    const more = engine.turn();
    recover();
    if (more) {
      // Not a timer of 0 ms: questions that have come meanwhile are answered first.
      const immediate = setImmediate(run);
      cancel = () => clearImmediate(immediate);
      return;
    }
    wake(TICK_MS);
  } catch (cause) {
    stall(cause);
  }
  post({ kind: 'figures', figures: engine.figures() });
}

function wake(ms: number): void {
  cancel?.();
  cancel = systemTimers.after(ms, run);
}

let gathering = false;
function onMessage(message: ToHistory): void {
  if (message.kind === 'ask') {
    post({ kind: 'answer', number: message.number, answer: engine.ask(message.query) });
    return;
  }
  if (message.kind === 'press') {
    pressed = true;
    engine.press();
  }
  if (gathering || stalledMs !== undefined) return;
  gathering = true;
  systemTimers.after(GATHER_MS, () => {
    gathering = false;
    if (cancel !== undefined) wake(0);
  });
}

run();
