// One file as it is read: how far, what stands there, and what it is known by. A file that was emptied, cut or replaced
// by another is begun anew; so is one that was emptied and has grown past the place again, because what stands before
// the place is neither what stood there nor the nulls that were put over it.

import { crc32 } from 'node:zlib';
import type { JournalFile } from '../../capture.ts';
import { createJoiner, decodeText, type Joiner } from '../formats/index.ts';
import { sizeText } from '../holes.ts';
import { LineCutter, type Standing } from './lines.ts';
import { type FileNote, MARK_BYTES, type Mark, NO_MARK, type NotedFile } from './note.ts';
import type { TakerOptions } from './taker-types.ts';

/** A place that can be written down: nothing before it is held in memory only. */
export type SafePlace = {
  readonly to: number;
  readonly standing: Standing;
  readonly mark: Mark;
};

/** Looked through again by the next agent, in case it was not wiped: far more than is taken between two wipes. */
const WIPED_AGAIN_BYTES_MAX = 64 * 1024 * 1024;

const isNulls = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

export class Reading {
  path: string;
  readonly inode: number;
  version: string;
  cutter: LineCutter;
  joiner: Joiner = createJoiner();
  safe: SafePlace;
  /** In the journal. */
  to: number;
  /** Nulls up to here, or freed. */
  wipedTo: number;
  /** Up to here most may be freed: nulls go only where there is something else. */
  sparseTo = 0;
  /** Handed to whoever frees. */
  freedTo = 0;
  size = 0;
  /** Its end was reached once: what comes now was printed now. */
  isLive = false;
  /** A line that waits for its end: where it begins, and since when. */
  partial: { readonly from: number; readonly sinceMs: number } | undefined;
  /** A record that may go on: when it began, and when its last line came. */
  joined: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  /** When it was found to have grown last. */
  grownAtMs: number;
  /** Of the last record that said one. */
  timeMs: number | undefined;
  /** Of nulls since the place that an agent before has left: the journal said that nobody had taken them. */
  #lost: number | undefined;
  /** What stood before `cutter.at` when it was read; none: only the mark is known. */
  #tail: Buffer | undefined;

  constructor(file: Pick<JournalFile, 'path' | 'inode'>, version: string, nowMs: number) {
    this.path = file.path;
    this.inode = file.inode;
    this.version = version;
    this.cutter = new LineCutter(decodeText, 0);
    this.safe = { to: 0, standing: 'start', mark: NO_MARK };
    this.to = 0;
    this.wipedTo = 0;
    this.grownAtMs = nowMs;
  }

  /** As the agent before left it. Before the bytes that it takes on the disk all is freed, unless that compresses. */
  recall({ to, standing, mark }: NotedFile, file: JournalFile): void {
    this.cutter = new LineCutter(decodeText, to, standing);
    this.safe = { to, standing, mark };
    this.to = to;
    this.freedTo = Math.max(0, Math.min(to, to - file.allocated));
    this.wipedTo = Math.max(0, to - Math.max(file.allocated, WIPED_AGAIN_BYTES_MAX));
    this.sparseTo = this.freedTo;
    this.#lost = 0;
  }

  /**
   * Passes over what was taken and is in the journal no more, because its newest block was damaged.
   * @param fresh from the place on. @returns what there is to tell of it; empty: nothing, or not yet.
   */
  passLost(fresh: Buffer): string {
    if (this.#lost === undefined) return '';
    const at = fresh.findIndex((byte) => byte !== 0);
    this.#lost += at < 0 ? fresh.length : at;
    if (at < 0) return '';
    const text = this.#lostText();
    if (text !== '') this.jump(this.at + at);
    return text;
  }

  /** The same where nothing follows them. Nulls that come later are what is printed. */
  endLost(): string {
    const text = this.#lostText();
    if (text === '') return '';
    this.cutter.jump(this.at, false);
    this.settleNow(this.at, 'half');
    return text;
  }

  #lostText(): string {
    const lost = this.#lost ?? 0;
    this.#lost = undefined;
    if (lost === 0) return '';
    return `[tillwatch: ${sizeText(lost)} lost here: neither the journal nor the output has them any more]`;
  }

  /** What stands behind so many bytes of that file another version has printed. */
  upgraded(since: TakerOptions['since'], from: number): void {
    if (since?.inode === this.inode && from >= since.bytes) this.version = since.version;
  }

  get at(): number {
    return this.cutter.at;
  }

  /** Bytes before it that tell whether it is still the same. */
  get backBytes(): number {
    return this.#tail?.length ?? this.safe.mark.bytes;
  }

  /** @param before the bytes before the place, as they are now. */
  isSame(before: Buffer): boolean {
    if (before.length < this.backBytes) return false;
    const tail = this.#tail;
    if (tail !== undefined) {
      return before.every((byte, index) => byte === 0 || byte === tail[index]);
    }
    return isNulls(before) || this.safe.mark.crc === crc32(before);
  }

  /** @param bytes that were read, those before the place among them; `from` is the first one's place. */
  remember(bytes: Buffer, from: number): void {
    this.#mark(bytes, from);
    this.#tail = Buffer.from(bytes.subarray(-MARK_BYTES));
  }

  #mark(bytes: Buffer, from: number): void {
    const { to, mark } = this.safe;
    if (mark.bytes > 0 || to <= from) return;
    const before = bytes.subarray(Math.max(0, to - from - MARK_BYTES), to - from);
    this.safe = { ...this.safe, mark: { bytes: before.length, crc: crc32(before) } };
  }

  /** Everything before it is whole, and not only in memory. */
  settle(to: number, standing: Standing): void {
    if (to !== this.safe.to) this.safe = { to, standing, mark: NO_MARK };
    else if (standing !== this.safe.standing) this.safe = { ...this.safe, standing };
  }

  /** The same, between two pieces. */
  settleNow(to: number, standing: Standing): void {
    this.settle(to, standing);
    const tail = this.#tail;
    if (tail !== undefined) this.#mark(tail, this.at - tail.length);
  }

  restart(): void {
    this.cutter = new LineCutter(decodeText, 0);
    this.joiner = createJoiner();
    this.safe = { to: 0, standing: 'start', mark: NO_MARK };
    Object.assign(this, {
      to: 0,
      wipedTo: 0,
      freedTo: 0,
      sparseTo: 0,
      partial: undefined,
      joined: undefined,
    });
    this.#tail = undefined;
    this.#lost = undefined;
  }

  /** Behind a hole nothing is known of what stood before. */
  jump(to: number): void {
    this.cutter.jump(to, false);
    this.settle(to, 'half');
    this.#tail = undefined;
  }

  note(): FileNote {
    const { mark, standing } = this.safe;
    return { inode: this.inode, version: this.version, mark, standing };
  }
}
