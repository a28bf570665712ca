// The files of one component's output as they can be changed: freed in front or in the middle, shortened, removed, or,
// where nothing else works, cut. Holes are kept in memory and noted beside the file before its bytes go, so that
// an agent that is killed in between finds them noted and frees them again: nothing is lost that is not told.

import { type JournalFile, judgeCrowd, leftOf, lengthOf, withHole } from './capture.ts';
import {
  COMPRESSED_BYTES_MAX,
  decodeNote,
  encodeHoles,
  guessHoles,
  type Hole,
  holeAt,
  isMarked,
  keptBytes,
  MARK_BYTES_MAX,
  markOf,
  type Range,
  sidecarOf,
} from './logs/holes.ts';
import type { Log } from './ports.ts';
import type { Punched, Puncher } from './punch.ts';
import type { FileStat, JournalDisk } from './system/journal-files.ts';

/** Each hole keeps up to a block at either edge; more than this beyond it was noted and not freed. */
const EDGE_BYTES = 2 * 4096;
const UNFREED_BYTES_MIN = 64 * 1024;
/** Freed again from a block before, so that the half block at the last edge goes, too. */
const OVERLAP_BYTES = 4096;
/** Where it failed it is left alone for so long: by each component, because one file can be the reason. */
const RETRY_MS = 30_000;

/** Why bytes went; `truncated`: no other way. */
export type DropReason = 'rate' | 'size' | 'disk' | 'purged' | 'truncated';
export type NewHole = Pick<Hole, 'firstMs' | 'lastMs' | 'reason' | 'limit'> & {
  readonly reason: Exclude<DropReason, 'truncated'>;
};

/** Shared by all components: whether the file system under them can free at all. */
export type Means = {
  refused: string | undefined;
  /** Said last: the same trouble again is no news. */
  said: string;
};

export type JournalOptions = {
  readonly component: string;
  readonly folder: string;
  readonly disk: JournalDisk;
  readonly puncher: Puncher;
  readonly means: Means;
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
  readonly log: Log;
  readonly dropped: (reason: DropReason, bytes: number) => void;
  /** What lies before it in that file was taken by whoever reads it. */
  readonly takenTo?: (path: string) => number;
};

/** More of it is on the disk than its holes leave. */
const isUnfreed = ({ size, allocated }: FileStat, holes: readonly Hole[]): boolean =>
  holes.length > 0 &&
  allocated >
    keptBytes(holes, { from: 0, to: size }) + UNFREED_BYTES_MIN + holes.length * EDGE_BYTES;

export class Journal {
  readonly #o: JournalOptions;
  #retryAtMs = -Infinity;
  #holes = new Map<string, { readonly inode: number; readonly holes: readonly Hole[] }>();
  /** Up to where its front was taken and freed. */
  #freed = new Map<string, { readonly inode: number; readonly to: number }>();

  constructor(options: JournalOptions) {
    this.#o = options;
  }

  /** All its files; notes of files that are gone are removed. */
  async files(): Promise<JournalFile[]> {
    const { disk, folder } = this.#o;
    const all = await disk.list(folder);
    const files: JournalFile[] = [];
    for (const stat of all) if (stat.path.endsWith('.log')) files.push(await this.known(stat));
    const noted = new Set(files.map(({ path }) => sidecarOf(path)));
    for (const { path } of all) {
      if (/\.holes(\.new)?$/.test(path) && !noted.has(path)) await disk.remove(path);
    }
    const present = new Set(files.map(({ path }) => path));
    for (const path of this.#holes.keys()) if (!present.has(path)) this.#holes.delete(path);
    for (const path of this.#freed.keys()) if (!present.has(path)) this.#freed.delete(path);
    return files;
  }

  /** A file with its holes, which are read once, and again when the disk holds more of it than they leave. */
  async known(stat: FileStat): Promise<JournalFile> {
    const holes = await this.#known(stat);
    const takenTo = this.#o.takenTo?.(stat.path) ?? 0;
    return { ...stat, holes, takenTo: takenTo <= stat.size ? takenTo : 0 };
  }

  async #known(stat: FileStat): Promise<readonly Hole[]> {
    const { path, inode, size } = stat;
    const cached = this.#holes.get(path);
    const isSame = cached?.inode === inode && (cached.holes.at(-1)?.to ?? 0) <= size;
    if (isSame && !isUnfreed(stat, cached.holes)) return cached.holes;
    const noted = await this.#noted(stat);
    if (isSame && noted !== 'foreign') return cached.holes;
    if (noted === 'foreign') await this.forget(path);
    const holes = typeof noted === 'string' ? await this.#guess(stat) : noted;
    this.#holes.set(path, { inode, holes });
    // An agent was killed between the note and the punch.
    if (holes === noted && isUnfreed(stat, holes) && !this.#isResting()) {
      for (const hole of holes) await this.#punch(path, hole);
    }
    return holes;
  }

  async #guess(stat: FileStat): Promise<readonly Hole[]> {
    const { path, inode, size, allocated, modifiedMs } = stat;
    const guess = guessHoles({ ino: inode, size, blocks: allocated / 512 }, modifiedMs);
    const [hole] = guess;
    if (hole === undefined || size > COMPRESSED_BYTES_MAX) return guess;
    const at = Math.max(0, hole.to - MARK_BYTES_MAX);
    const end = await this.#o.disk.bytesAt(path, at, MARK_BYTES_MAX);
    return end.some((byte) => byte !== 0) ? [] : guess;
  }

  /** What was noted of it is of bytes that are gone. */
  async forget(path: string): Promise<void> {
    this.#holes.delete(path);
    this.#freed.delete(path);
    await this.#o.disk.remove(sidecarOf(path));
  }

  /** `foreign`: a note of what stood in this file before it was emptied. */
  async #noted({ path, inode, size }: FileStat): Promise<readonly Hole[] | 'none' | 'foreign'> {
    const { disk } = this.#o;
    const text = await disk.read(sidecarOf(path));
    const note = text === undefined ? undefined : decodeNote(text, inode, size);
    if (note === undefined) return 'none';
    if (note.mark === undefined) return note.holes;
    const behind = await disk.bytesAt(path, note.holes.at(-1)?.to ?? 0, note.mark.bytes);
    return isMarked(note.mark, behind) ? note.holes : 'foreign';
  }

  /** @returns the bytes that it was asked for; 0 when they are still there. */
  async free(file: JournalFile, range: Range, { reason, ...more }: NewHole): Promise<number> {
    const { from, to } = await this.#atLines(file, range);
    if (from >= to || this.#isResting()) return 0;
    let { holes, bytes } = withHole(this.#holesOf(file), { from, to, reason, ...more });
    const crowd = judgeCrowd(holes);
    if (crowd !== undefined) {
      const joined = withHole(holes, { ...crowd, reason: 'size', ...more });
      holes = joined.holes;
      this.#o.dropped('size', joined.bytes);
    }
    const before = this.#holes.get(file.path);
    this.#holes.set(file.path, { inode: file.inode, holes });
    const noted = await this.#note(file);
    for (const piece of crowd === undefined ? [{ from, to }] : [{ from, to }, crowd]) {
      if (await this.#punch(file.path, piece)) continue;
      if (this.#o.means.refused === undefined) {
        // A part may be gone: it stays noted, and when the note is read anew the rest is freed, too.
        this.#holes.delete(file.path);
        return 0;
      }
      // It is all still there: what was noted is taken back.
      if (before !== undefined) this.#holes.set(file.path, before);
      await this.#note(file);
      return 0;
    }
    // On a full disk there was no room for the note before; now there is.
    if (!noted) await this.#note(file);
    this.#o.dropped(reason, bytes);
    return bytes;
  }

  get component(): string {
    return this.#o.component;
  }

  /** What lies before `to` was taken by whoever reads it: it goes, and is neither lost nor missing. */
  async take(file: JournalFile, to: number): Promise<void> {
    if (this.#isResting()) return;
    const freed = this.#freed.get(file.path);
    const from = freed?.inode === file.inode ? freed.to : 0;
    if (!(await this.#punch(file.path, { from: Math.max(0, from - OVERLAP_BYTES), to }))) return;
    this.#freed.set(file.path, { inode: file.inode, to });
    const known = this.#holes.get(file.path);
    const left = known?.holes.filter((hole) => hole.to > to) ?? [];
    if (known === undefined || left.length === known.holes.length) return;
    this.#holes.set(file.path, { inode: file.inode, holes: left });
    await this.#note(file);
  }

  async remove(file: JournalFile, reason: DropReason | 'taken'): Promise<void> {
    const { disk, dropped } = this.#o;
    await disk.remove(file.path);
    await this.forget(file.path);
    if (reason !== 'taken') dropped(reason, lengthOf(leftOf(file)));
  }

  /** The last way out: what is written meanwhile is lost. */
  async cut(file: JournalFile, bytesMax: number): Promise<void> {
    const { disk, log, wallMs, dropped, component } = this.#o;
    const kept = `${file.path.slice(0, -'.log'.length)}-${wallMs()}.log`;
    const done = await disk.cut(file.path, kept, bytesMax);
    await this.forget(file.path);
    const missing = file.size - keptBytes(file.holes, { from: 0, to: file.size });
    if (done.ok) dropped('truncated', Math.max(0, done.value - missing));
    const what = done.ok ? 'was cut: it printed more than is kept' : done.reason;
    log.warn(`output of ${component} ${what}`, { component, path: file.path });
  }

  /**
   * A file's size grows for ever, though its bytes go: before the file system refuses the next write (EFBIG; ext4
   * at 16 TB) its empty front is taken out, which moves what follows. @returns by how much.
   */
  async shorten(file: JournalFile, blockBytes: number): Promise<number> {
    const [first, ...others] = this.#holesOf(file);
    if (first === undefined || first.from > 0) return 0;
    const bytes = Math.floor(first.to / blockBytes) * blockBytes;
    const done = await this.#o.puncher.collapse(file.path, bytes);
    if (done.kind !== 'done') return 0;
    const shifted = others.map((hole) => ({
      ...hole,
      from: hole.from - bytes,
      to: hole.to - bytes,
    }));
    const rest = first.to > bytes ? [{ ...first, to: first.to - bytes }] : [];
    this.#holes.set(file.path, { inode: file.inode, holes: [...rest, ...shifted] });
    this.#freed.delete(file.path);
    await this.#note(file);
    return bytes;
  }

  #holesOf({ path, holes }: JournalFile): readonly Hole[] {
    return this.#holes.get(path)?.holes ?? holes;
  }

  #isResting(): boolean {
    const { means, monotonicMs } = this.#o;
    return means.refused !== undefined || monotonicMs() < this.#retryAtMs;
  }

  async #note({ path }: JournalFile): Promise<boolean> {
    const known = this.#holes.get(path);
    if (known === undefined || known.holes.length === 0) {
      await this.#o.disk.remove(sidecarOf(path));
      return true;
    }
    const { disk } = this.#o;
    const behind = await disk.bytesAt(path, known.holes.at(-1)?.to ?? 0, MARK_BYTES_MAX);
    const text = encodeHoles(known.inode, known.holes, markOf(behind));
    return (await disk.replace(sidecarOf(path), text)).ok;
  }

  async #punch(path: string, { from, to }: Range): Promise<boolean> {
    const { puncher, means, log, monotonicMs } = this.#o;
    const first = holeAt(this.#holes.get(path)?.holes ?? [], from);
    const back = first !== undefined && first.from < from ? OVERLAP_BYTES : 0;
    const start = Math.max(first?.from ?? from, from - back);
    const punched = await puncher.punch(path, { from: start, to });
    if (punched.kind === 'done') return true;
    this.#say(punched);
    if (punched.kind === 'refused') means.refused = punched.reason;
    else this.#retryAtMs = monotonicMs() + RETRY_MS;
    if (punched.kind === 'refused') {
      log.warn('output that is too much is cut, which can lose lines: nothing else works here');
    }
    return false;
  }

  #say({ reason }: Punched): void {
    const { log, folder, means } = this.#o;
    if (reason === means.said) return;
    means.said = reason;
    log.warn('output cannot be freed behind its writer', { folder, reason });
  }

  /** Lines that are kept are whole, where a line end is near. */
  async #atLines(file: JournalFile, { from, to }: Range): Promise<Range> {
    const { disk } = this.#o;
    const isTaken = from <= (file.takenTo ?? 0);
    const behindHole = isTaken || holeAt(this.#holesOf(file), from - 1) !== undefined;
    const first = behindHole ? from : ((await disk.lineStart(file.path, from)) ?? from);
    const last = (await disk.lineStart(file.path, to)) ?? to;
    return { from: first, to: Math.min(last, file.size) };
  }
}
