// Records of one component that are not in the journal yet, and what was counted with them. Both become true with the
// same block: what the journal did not take is not counted, and stays held.

import type { Log } from '../../ports.ts';
import { readRecord } from '../formats/index.ts';
import type { JournalRecord, JournalStore } from '../journal/types.ts';
import { encodeNote, type RecordCounts } from './note.ts';
import type { Reading } from './reading.ts';

export type HeldOptions = {
  readonly component: string;
  readonly store: Pick<JournalStore, 'append'>;
  readonly stamp: () => string;
  readonly log: Log;
};

/** Beside its text. */
const RECORD_BYTES = 64;

export class Held {
  readonly #o: HeldOptions;
  #records: JournalRecord[] = [];
  /** As they lie in the journal. */
  counts: RecordCounts;
  bytes = 0;
  sinceMs = 0;
  #isRefused = false;

  constructor(options: HeldOptions, counts: RecordCounts) {
    this.#o = options;
    this.counts = counts;
  }

  /**
   * @param own of a line that is ours and says its level and time.
   * @param sinceMs monotonic: since when its first line is known.
   */
  add(
    reading: Reading,
    text: string,
    nowMs: number,
    redact: (text: string) => string,
    own: { readonly level?: 'warn' | undefined; readonly timeMs?: number | undefined },
    sinceMs: number,
  ): JournalRecord {
    const said = own.level === undefined ? readRecord(text, nowMs) : own;
    if (said.timeMs !== undefined && own.level === undefined) reading.timeMs = said.timeMs;
    const guess = reading.isLive ? nowMs : (reading.timeMs ?? nowMs);
    const record: JournalRecord = {
      timeMs: said.timeMs ?? guess,
      guessed: said.timeMs === undefined || own.level !== undefined,
      level: said.level,
      text: redact(text),
      version: reading.version,
    };
    this.sinceMs = this.bytes === 0 ? sinceMs : Math.min(this.sinceMs, sinceMs);
    this.#records.push(record);
    this.bytes += record.text.length + RECORD_BYTES;
    return record;
  }

  /** @returns whether all of it is in the journal. */
  async append(readings: readonly Reading[]): Promise<boolean> {
    const { store, component, stamp, log } = this.#o;
    const records = this.#records;
    const counts = this.counts.copy();
    for (const { version, level } of records) counts.add(version, level ?? 'none');
    const safe = readings.map((reading) => ({ reading, place: reading.safe }));
    const places = safe.map(({ reading: { path, inode }, place: { to } }) => ({ path, inode, to }));
    const note = encodeNote(
      counts,
      readings.map((reading) => reading.note()),
    );
    const done = await store.append(component, records, places, stamp(), note);
    if (!done.ok) {
      if (!this.#isRefused) log.warn(`the journal takes nothing: ${done.reason}`, { component });
      this.#isRefused = true;
      return false;
    }
    this.#isRefused = false;
    this.#records = [];
    this.bytes = 0;
    this.counts = counts;
    for (const { reading, place } of safe) reading.to = place.to;
    return true;
  }
}
