// The single steps of a sink's loop (loop.ts), each with what may fail in it: the self-test, sending for as long
// as it takes, and writing down how far it is for as long as a disk refuses. None of them throws.

import type { LedgerRow } from '../ledger-reader.ts';
import { backoffMs } from './backoff.ts';
import type { LoopOptions, Model } from './loop.ts';
import type { Buried, SendResult } from './types.ts';

/** After a failure of a disk. */
export const DISK_MS = 5_000;
/** A cursor that moved without a send is written down this often. */
export const PASS_MS = 1_000;
/** A database may get its flags while it is up. */
const CHECK_MS = 10 * 60_000;
const CHECK_AGAIN_MS = 30_000;

type Sleep = (ms: number) => Promise<void>;

/** The self-test, beside the sending: its canary is a series of its own. */
function createChecking({ sink, clock, onChange }: LoopOptions, model: Model) {
  let running = false;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let everyMs = CHECK_MS;
  async function check(): Promise<void> {
    const sentences = await sink.check();
    running = false;
    if (model.stopped) return;
    // What is missing may be put right at any moment, and somebody waits for it.
    everyMs = sentences.length === 0 ? CHECK_MS : CHECK_AGAIN_MS;
    const first = model.up === undefined;
    if (first && sentences.length === 0) model.up = true;
    if (!first && sentences.join() === model.sentences.join()) return;
    model.sentences = sentences;
    onChange();
  }
  return (now = false): void => {
    const nowMs = clock.monotonicMs();
    if (running || (!now && nowMs - checkedAtMs < everyMs)) return;
    running = true;
    checkedAtMs = nowMs;
    void check();
  };
}

/** Sends until it is taken. @returns what was buried; undefined when the loop was stopped before. */
export function createSending(options: LoopOptions, model: Model, sleep: Sleep) {
  const { sink, clock, chance, onTaken, onBuried, onChange } = options;
  const check = createChecking(options, model);
  function tell(up: boolean, lastError: string): void {
    const changed = model.up !== up || model.lastError !== lastError;
    if (up && model.up === false) check(true);
    model.up = up;
    model.lastError = lastError;
    if (changed) onChange();
  }
  async function sendAll(rows: readonly LedgerRow[]): Promise<readonly Buried[] | undefined> {
    for (model.failures = 0; !model.stopped; ) {
      // Before it is sent: it may take half a minute until it is clear that nobody answers.
      const settled = model.trail.settled(clock.monotonicMs());
      const result: SendResult = await sink.send(rows);
      if (result.kind === 'taken') {
        model.failures = 0;
        model.taken += result.items;
        onTaken(result.items);
        if (result.buried.length > 0) onBuried(result.buried);
        tell(true, '');
        return result.buried;
      }
      if (model.stopped) break;
      model.failures += 1;
      if (result.lost === true) model.lostFrom ??= settled;
      tell(false, result.reason);
      await sleep(backoffMs(model.failures, chance(), result.afterMs));
      check();
    }
    return undefined;
  }
  return { sendAll, check };
}

/** Writes down how far the sink is, again and again while the disk refuses. */
export function createSaving(options: LoopOptions, model: Model, sleep: Sleep) {
  const { sink, store, generation, clock, onChange } = options;
  let savedAtMs = Number.NEGATIVE_INFINITY;
  /** Never backwards: what was written down before is done with. */
  const target = (): number => {
    const settled = model.trail.settled(clock.monotonicMs());
    const isFinal = sink.keepsOnce === undefined || sink.keepsOnce() === false;
    // A full ledger deletes up to the cursor: what is to be sent again must lie behind it.
    const kept = Math.min(settled, model.lostFrom ?? settled);
    return Math.max(model.saved, isFinal ? model.position : kept);
  };
  async function save(buried: readonly Buried[]): Promise<void> {
    while (!model.stopped) {
      const cursor = target();
      const nowMs = clock.wallMs();
      const done = store.move({ sink: sink.name, generation, cursor, buried, nowMs });
      savedAtMs = clock.monotonicMs();
      if (done.ok) {
        model.saved = cursor;
        return;
      }
      model.lastError = done.reason;
      onChange();
      await sleep(DISK_MS);
    }
  }
  /** What was only passed over may be passed over again. */
  const savePassed = async (): Promise<void> => {
    if (model.saved === target()) return;
    if (clock.monotonicMs() - savedAtMs >= PASS_MS) await save([]);
  };
  return { save, savePassed };
}
