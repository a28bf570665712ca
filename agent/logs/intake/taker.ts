// Takes what one component printed into the journal: reads its files in order of age a piece at a time, makes records,
// holds them until they are worth a block, and once that is durable puts nulls over their bytes and has them freed. The
// place up to which a file was taken lies in the same block, so whoever is killed in between takes nothing twice and
// leaves nothing out. A record that may still grow (a stack trace) keeps the place before its first line.

import type { JournalFile } from '../../capture.ts';
import { keptOf } from '../../capture.ts';
import { JOIN_MS } from '../formats/index.ts';
import { type Hole, holeAt, holeText, nextHole } from '../holes.ts';
import { Breath } from './breath.ts';
import { Held } from './held.ts';
import { LastLines } from './last.ts';
import type { TakenLine } from './lines.ts';
import { decodeNote, MARK_BYTES, type Noted } from './note.ts';
import { Reading } from './reading.ts';
import type { Keeper, TakerOptions } from './taker-types.ts';
import { HELD_BYTES_MAX, HELD_MS_MAX } from './types.ts';

/** At one look; the rest at the next one, after all others had theirs. */
export const LOOK_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** What a taker reads into: one for all that are never at work at once. */
export const newBuffer = (): Buffer => Buffer.allocUnsafeSlow(CHUNK_BYTES + MARK_BYTES);
/** What is held when the journal takes nothing: then reading waits, and what waits is bounded as output is. */
const STUCK_BYTES_MAX = 2 * HELD_BYTES_MAX;
/** So much is freed at a time: each time costs a process. */
export const FREED_BYTES_MIN = 1024 * 1024;
/** Nobody writes to a file of a life that is over; what is left of its tree may for a while. */
const REMOVED_AFTER_MS = 30_000;

export class Taker {
  readonly last = new LastLines();
  readonly #o: TakerOptions;
  readonly #held: Held;
  #noted: Noted;
  #readings = new Map<number, Reading>();
  readonly #breath: Breath;
  #isFirst = true;
  #flushedMs = 0;
  /** A life began that only this agent knows of. */
  isUrgent = false;

  constructor(options: TakerOptions) {
    this.#o = options;
    const { store, component } = options;
    this.#noted = decodeNote(store.note(component), store.places(component));
    this.#breath = new Breath(options);
    this.#held = new Held(options, this.#noted.counts);
  }

  counts() {
    return this.#held.counts.list(this.#o.component);
  }

  behindBytes(): number {
    const all = [...this.#readings.values()];
    return all.reduce((sum, { size, to }) => sum + Math.max(0, size - to), 0);
  }

  /** Where reading goes on; everything before is in the journal or held. */
  readTo(path: string): number {
    return this.#of(path)?.at ?? 0;
  }

  /** Records of what stands before are made; what stands behind may still be half of one. */
  safeTo(path: string): number {
    return this.#of(path)?.safe.to ?? this.#noted.files.find((one) => one.path === path)?.to ?? 0;
  }

  takenTo(path: string): number {
    return this.#of(path)?.wipedTo ?? 0;
  }

  newestVersion(): string | undefined {
    return [...this.#readings.values()].at(-1)?.version;
  }

  #of(path: string): Reading | undefined {
    return [...this.#readings.values()].find((reading) => reading.path === path);
  }

  /** One look. @returns whether there is more to read at once. */
  async look(keeper: Keeper, isForced: boolean): Promise<boolean> {
    this.#breath.begin();
    if (this.#isFirst) await this.#recallLast(keeper);
    this.#meet(keeper);
    let left = LOOK_BYTES_MAX;
    for (const file of keeper.files) {
      const reading = this.#readings.get(file.inode);
      if (reading === undefined || this.#held.bytes >= STUCK_BYTES_MAX) continue;
      const done = await this.#readSome(reading, file, left, keeper);
      left -= done;
      if (reading.at < file.size) continue;
      reading.isLive = true;
      this.#rest(reading, file.path !== keeper.open, isForced);
    }
    const isStuck = await this.#flushDue(keeper, isForced);
    if (!isStuck) await this.#discard(keeper);
    // Its bytes are spent: what could not be read at all is not asked for again at once.
    return !isStuck && left <= 0;
  }

  async #recallLast({ open }: Keeper): Promise<void> {
    this.#isFirst = false;
    const { store, component, redact, wipes } = this.#o;
    const { files } = this.#noted;
    const place = open === undefined ? files.at(-1) : files.find(({ path }) => path === open);
    if (place === undefined || !wipes) return;
    this.last.recall(place, await store.newest(component), redact);
  }

  #meet({ files, isAll }: Keeper): void {
    const now = this.#o.clock.monotonicMs();
    const readings = new Map(isAll ? [] : this.#readings);
    for (const file of files) {
      const { inode, path, size } = file;
      const known = this.#readings.get(inode) ?? this.#recall(file, now);
      known.path = path;
      if (size < known.at) known.restart();
      if (size !== known.size) known.grownAtMs = now;
      known.size = size;
      readings.set(inode, known);
    }
    this.#readings = readings;
    // An inode is used again, and not by a file that was noted.
    if (isAll) this.#noted = { ...this.#noted, files: [] };
  }

  #recall(file: JournalFile, now: number): Reading {
    const noted = this.#noted.files.find(({ inode }) => inode === file.inode);
    const isIt = noted !== undefined && (noted.path === file.path || !this.#o.wipes);
    const version = isIt && noted.version !== '' ? noted.version : this.#o.versionOf(file.path);
    const reading = new Reading(file, version, now);
    if (isIt) reading.recall(noted, file);
    return reading;
  }

  async #readSome(reading: Reading, file: JournalFile, most: number, keeper: Keeper) {
    let done = 0;
    while (done < most && reading.at < file.size && this.#held.bytes < STUCK_BYTES_MAX) {
      const hole = holeAt(file.holes, reading.at);
      if (hole !== undefined) {
        this.#tellHole(reading, file, hole);
        continue;
      }
      const end = nextHole(file.holes, reading.at, file.size);
      const count = await this.#readPiece(reading, Math.min(CHUNK_BYTES, end - reading.at));
      if (count <= 0) break;
      done += count;
      if (this.#held.bytes >= HELD_BYTES_MAX) await this.#flush(keeper);
    }
    return done;
  }

  /** @returns 0 when nothing could be read now. */
  async #readPiece(reading: Reading, length: number): Promise<number> {
    const back = reading.backBytes;
    const from = reading.at - back;
    const into = this.#o.buffer.subarray(0, back + length);
    const bytes = await this.#o.disk.read(reading.path, reading.inode, from, into);
    if (bytes === undefined || bytes.length <= back) return 0;
    if (!reading.isSame(bytes.subarray(0, back))) {
      reading.restart();
      return 1;
    }
    const fresh = bytes.subarray(back);
    this.#o.saw(reading.path, reading.at, fresh);
    const { cutter, at } = reading;
    const lost = reading.passLost(fresh);
    if (lost !== '') this.#emit(reading, lost, 'warn');
    for (const line of cutter.push(fresh.subarray(reading.at - at))) {
      this.#take(reading, line);
      await this.#breath.take();
    }
    // Of a line that is too long nothing is kept: its place moves on without a record.
    if (cutter.standing === 'skip' && reading.joiner.held() === 0) {
      reading.settle(cutter.at, 'skip');
    }
    reading.remember(bytes, from);
    return fresh.length;
  }

  #take(reading: Reading, { text, from, before, to, standing, isOurs }: TakenLine): void {
    if (isOurs === true) {
      this.#end(reading);
      this.#emit(reading, text, 'warn');
      reading.settle(to, standing);
      return;
    }
    const { joiner } = reading;
    const now = this.#o.clock.monotonicMs();
    const isFirst = joiner.held() === 0;
    const ended = joiner.push(text);
    for (const record of ended) this.#emit(reading, record);
    const isNew = isFirst || ended.length > 0;
    reading.joined = { sinceMs: isNew ? now : (reading.joined?.sinceMs ?? now), lastMs: now };
    reading.upgraded(this.#o.since, from);
    // Line ends of another kind stand within it: no place is between them.
    if (text.includes('\n')) this.#end(reading);
    if (joiner.held() === 0) reading.settle(to, standing);
    // Everything before this line went out, and the record that it begins may go on.
    else if (isNew) reading.settle(from, before);
  }

  #end(reading: Reading): void {
    for (const record of reading.joiner.end()) this.#emit(reading, record);
    reading.joined = undefined;
  }

  #tellHole(reading: Reading, file: JournalFile, hole: Hole): void {
    for (const line of reading.cutter.breakOff(true)) this.#take(reading, line);
    this.#end(reading);
    const to = Math.min(hole.to, file.size);
    const bytes = reading.at > hole.from ? Math.min(to - reading.at, hole.bytes) : hole.bytes;
    this.#emit(reading, holeText({ ...hole, bytes }, 0), 'warn', hole.lastMs);
    reading.jump(to);
  }

  #emit(reading: Reading, text: string, level?: 'warn', timeMs?: number): void {
    if (text === '') return;
    const { clock, redact, emit } = this.#o;
    const since = reading.joined?.sinceMs ?? clock.monotonicMs();
    const own = { level, timeMs };
    const record = this.#held.add(reading, text, clock.wallMs(), redact, own, since);
    this.last.add(reading.path, record.text);
    emit(record);
  }

  /** Nothing more is there now: what waits for its next line or its end may have waited long enough. */
  #rest(reading: Reading, isClosed: boolean, isForced: boolean): void {
    const now = this.#o.clock.monotonicMs();
    const { cutter, joiner } = reading;
    const lost = reading.endLost();
    if (lost !== '') this.#emit(reading, lost, 'warn');
    const isPartial = cutter.heldBytes > 0;
    const known = reading.partial?.from === cutter.heldFrom ? reading.partial : undefined;
    const partial = isPartial ? (known ?? { from: cutter.heldFrom, sinceMs: now }) : undefined;
    reading.partial = partial;
    const isOld = partial !== undefined && now - partial.sinceMs >= HELD_MS_MAX;
    if (isOld || isClosed) {
      for (const line of cutter.breakOff(isClosed)) this.#take(reading, line);
      if (isOld) reading.joined = { sinceMs: partial.sinceMs, lastMs: partial.sinceMs };
    }
    const isWhole = now - (reading.joined?.lastMs ?? now) >= JOIN_MS || isForced || isClosed;
    if (joiner.held() > 0 && isWhole) this.#end(reading);
    // Also behind nulls, which are nobody's words and nothing to wait for.
    if (joiner.held() === 0) reading.settleNow(cutter.at - cutter.heldBytes, cutter.standing);
  }

  /** @returns whether the journal takes nothing. */
  async #flushDue(keeper: Keeper, isForced: boolean): Promise<boolean> {
    const { bytes, sinceMs } = this.#held;
    const since = bytes > 0 ? sinceMs : this.#flushedMs;
    const isOld = this.#o.clock.monotonicMs() - since >= HELD_MS_MAX;
    if (!isOld && !isForced && !this.isUrgent && bytes < HELD_BYTES_MAX) return false;
    const hasMoved = [...this.#readings.values()].some((one) => one.safe.to !== one.to);
    return (bytes > 0 || hasMoved || this.isUrgent) && !(await this.#flush(keeper));
  }

  async #flush(keeper: Keeper): Promise<boolean> {
    const readings = [...this.#readings.values()];
    if (!(await this.#held.append(readings))) return false;
    this.isUrgent = false;
    this.#flushedMs = this.#o.clock.monotonicMs();
    if (this.#o.wipes) await this.#wipe(keeper);
    return true;
  }

  async #wipe({ files }: Keeper): Promise<void> {
    for (const file of files) {
      const reading = this.#readings.get(file.inode);
      if (reading === undefined || reading.wipedTo >= reading.to) continue;
      await this.#o.beforeWipe(reading.path, reading.to);
      const ranges = keptOf(file.holes, { from: reading.wipedTo, to: reading.to });
      const { path, inode, wipedTo, sparseTo } = reading;
      const isDone = await this.#o.disk.wipe(path, inode, ranges, wipedTo < sparseTo);
      if (isDone) reading.wipedTo = reading.to;
    }
  }

  async #discard(keeper: Keeper): Promise<void> {
    if (!this.#o.wipes) return;
    // What an agent left behind that was killed, or what the disk refused.
    await this.#wipe(keeper);
    const now = this.#o.clock.monotonicMs();
    for (const file of keeper.files) {
      const reading = this.#readings.get(file.inode);
      if (reading === undefined || reading.wipedTo < reading.to) continue;
      const isDone = file.path !== keeper.open && reading.to >= file.size;
      if (isDone && now - reading.grownAtMs >= REMOVED_AFTER_MS) {
        await keeper.remove(file);
        this.#readings.delete(file.inode);
      } else if (reading.wipedTo - reading.freedTo >= FREED_BYTES_MIN) {
        await keeper.free(file, reading.wipedTo);
        reading.freedTo = reading.wipedTo;
      }
    }
  }
}
