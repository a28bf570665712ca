// The journal of the terminal: one for each component, written by the agent, one thing at a time. An append is asked for
// and waits its turn; behind it, in the same turn, segments that are too many go. Age is judged by the terminal's
// clock, which can be years off after a dead battery: only after it has gone on evenly for an hour, so that a clock
// that is put right by the time server costs nobody a journal.

import { join } from 'node:path';
import { isId } from '../../../protocol/ids.ts';
import { fail, type Result } from '../../../protocol/result.ts';
import type { Clock, Log } from '../../ports.ts';
import { ComponentJournal } from './component.ts';
import { realSegmentDisk, type SegmentDisk } from './disk.ts';
import { mergeSegment, NEW_SUFFIX, shouldMerge } from './merge.ts';
import { type Purged, purgeComponent } from './purge.ts';
import {
  JOURNAL_BYTES_MAX,
  JOURNAL_DAYS,
  judgeSegments,
  type Room,
  roomBytes,
  segmentBytesMax,
} from './retention.ts';
import { namesIn } from './segment.ts';
import { type JournalRecord, type JournalStore, NOTE_CHARS_MAX, type Place } from './types.ts';

export type JournalOptions = {
  /** `<dataDir>/journal`. */
  readonly folder: string;
  /** Of each component. */
  readonly bytesMax?: number;
  readonly days?: number;
  readonly clock: Clock;
  readonly log: Log;
  /** For tests. */
  readonly disk?: SegmentDisk;
};

const DAY_MS = 24 * 60 * 60_000;
const AGE_EVERY_MS = 60 * 60_000;
/** Between two looks the clock may be put right by so much. */
const CLOCK_STEP_MS_MAX = 60_000;
/** Whoever appends faster than the disk takes it is told so. */
const WAITING_MAX = 64;

class Journal implements JournalStore {
  readonly #o: Required<JournalOptions>;
  readonly #journals = new Map<string, ComponentJournal>();
  /** Who pins what, and up to which segment. */
  readonly #pins = new Map<string, ReadonlyMap<string, number>>();
  #room: Room = 'all';
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #said = '';
  #merging = false;
  #age: { readonly atMs: number; readonly offsetMs: number } | undefined;
  #oldBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: JournalOptions) {
    this.#o = {
      ...{ bytesMax: JOURNAL_BYTES_MAX, days: JOURNAL_DAYS, disk: realSegmentDisk },
      ...options,
    };
    for (const component of namesIn(options.folder).filter(isId)) this.#load(component);
  }

  #load(component: string): ComponentJournal {
    const folder = join(this.#o.folder, component);
    const journal = new ComponentJournal(folder, this.#o.disk);
    this.#journals.set(component, journal);
    if (journal.wasTorn) {
      this.#o.log.warn(
        'the journal ended in a block that is not whole: what the output still has is read again',
        {
          component,
        },
      );
    }
    const halves = namesIn(folder).filter((name) => name.endsWith(NEW_SUFFIX));
    if (halves.length === 0 && !journal.isUntidy) return journal;
    void this.#inTurn(() => journal.tidy(halves.map((name) => join(folder, name))));
    return journal;
  }

  /** One thing at a time: there are four threads for all files of the agent, and a hung disk may have one. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const done = this.#turn.then(run).finally(() => {
      this.#waiting -= 1;
    });
    this.#turn = done.catch((error: unknown) => {
      // Only a bug gets here.
      this.#o.log.error('the journal failed', { reason: String(error) });
    });
    return done;
  }

  readonly append = async (
    component: string,
    records: readonly JournalRecord[],
    places: readonly Place[],
    redactor: string,
    note?: string,
  ): Promise<Result<void>> => {
    if (!isId(component)) return fail(`${component} is no name of a component`);
    if (redactor === '' && records.length > 0) return fail('records were not redacted');
    if ((note?.length ?? 0) > NOTE_CHARS_MAX) return fail('the note is too long');
    if (this.#waiting >= WAITING_MAX) return fail('the disk is slower than what is printed');
    return await this.#inTurn(async () => {
      const journal = this.#journals.get(component) ?? this.#load(component);
      const meta = { redactor, places, note: note ?? (journal.note || undefined) };
      const done = await journal.append(records, meta, this.#segmentBytes());
      this.#tell(done);
      if (journal.justEnded) this.#mergeLater(component, journal);
      if (this.#judgeAge()) await this.#retainAll();
      else await this.#retain(component, journal);
      return done;
    });
  };

  /** One at a time, in a turn of its own: an append that waits comes first. */
  #mergeLater(component: string, journal: ComponentJournal): void {
    if (this.#merging) return;
    this.#merging = true;
    void this.#inTurn(async () => {
      this.#merging = false;
      const pinnedTo = this.#pinnedTo(component);
      const small = journal.closed.find((segment) => shouldMerge(segment, pinnedTo));
      if (small === undefined) return;
      try {
        await mergeSegment(journal, small);
      } catch (error) {
        // A full disk: it stays as it is until the next segment is closed.
        this.#o.log.warn('a segment of the journal cannot be packed better', {
          ...{ component, reason: String(error) },
        });
      }
    });
  }

  #segmentBytes(): number {
    return segmentBytesMax(roomBytes(this.#o.bytesMax, this.#room));
  }

  /** Once for each reason, and once when it works again. */
  #tell(done: Result<void>): void {
    const reason = done.ok ? '' : done.reason;
    if (reason === this.#said) return;
    this.#said = reason;
    if (reason === '') this.#o.log.info('the journal is written again');
    else this.#o.log.warn(`${reason}: output stays where it is`);
  }

  #pinnedTo(component: string): number {
    let most = 0;
    for (const pins of this.#pins.values()) most = Math.max(most, pins.get(component) ?? 0);
    return most;
  }

  async #retain(component: string, journal: ComponentJournal): Promise<void> {
    const { bytesMax } = this.#o;
    const surplus = judgeSegments({
      segments: journal.segments,
      ...{ bytesMax, room: this.#room, oldBeforeMs: this.#oldBeforeMs },
      pinnedTo: this.#pinnedTo(component),
    });
    if (surplus.length > 0) await journal.remove(surplus);
  }

  async #retainAll(): Promise<void> {
    for (const [component, journal] of this.#journals) await this.#retain(component, journal);
  }

  /** @returns whether it was time to. */
  #judgeAge(): boolean {
    const { clock, days } = this.#o;
    const atMs = clock.monotonicMs();
    if (this.#age !== undefined && atMs - this.#age.atMs < AGE_EVERY_MS) return false;
    const offsetMs = clock.wallMs() - atMs;
    const isEven =
      this.#age !== undefined && Math.abs(offsetMs - this.#age.offsetMs) <= CLOCK_STEP_MS_MAX;
    this.#age = { atMs, offsetMs };
    this.#oldBeforeMs = isEven ? clock.wallMs() - days * DAY_MS : Number.NEGATIVE_INFINITY;
    return true;
  }

  readonly places = (component: string): readonly Place[] =>
    this.#journals.get(component)?.places ?? [];

  readonly note = (component: string): string => this.#journals.get(component)?.note ?? '';

  readonly newest = async (component: string): Promise<readonly JournalRecord[]> =>
    await this.#inTurn(async () => (await this.#journals.get(component)?.newest()) ?? []);

  readonly components = (): readonly string[] => [...this.#journals.keys()];

  readonly pin = (id: string, components: readonly string[]): void => {
    const newest = components.map((component) => {
      const number = this.#journals.get(component)?.segments.at(-1)?.number ?? 0;
      return [component, number] as const;
    });
    this.#pins.set(id, new Map(newest));
  };

  readonly unpin = (id: string): void => {
    if (!this.#pins.delete(id)) return;
    void this.#inTurn(() => this.#retainAll());
  };

  readonly purge = async (component: string, beforeMs: number): Promise<Purged> =>
    await this.#inTurn(async () => {
      const journal = this.#journals.get(component);
      if (journal === undefined) return { bytes: 0, records: 0, kept: 0 };
      return await purgeComponent(journal, beforeMs, this.#pinnedTo(component));
    });

  readonly setRoom = (room: Room): void => {
    if (room === this.#room) return;
    this.#room = room;
    void this.#inTurn(() => this.#retainAll());
  };

  readonly readings = () =>
    [...this.#journals].map(([component, { segments, dropped }]) => ({
      component,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      records: { ...dropped },
    }));

  readonly settled = async (): Promise<void> => {
    await this.#turn;
  };

  readonly close = (): void => {
    void this.#inTurn(async () => {
      for (const journal of this.#journals.values()) await journal.close();
    });
  };
}

/** Reads what lies there, at once; everything later waits for nobody. */
export const openJournal = (options: JournalOptions): JournalStore => new Journal(options);
