// What of a component's output has to go, as pure decisions: what came faster than is kept, and what is more than
// is kept. A component's files are one line of time: the oldest bytes go first, whole files while they last, then
// the front of the next. Counted are blocks on the disk and not sizes, because a file that was punched keeps its
// size. Of a flood the newest part of each look stays, because the last words before a crash matter most.

import { addHole, HOLES_MAX, type Hole, keptBytes, type Range } from './logs/holes.ts';

/** Per component, the open one included. */
export const OUTPUT_FILES_MAX = 5;
/** Below this a piece is not worth a process and a hole. */
export const PUNCH_BYTES_MIN = 64 * 1024;
/** Half used blocks at the edges of holes can make so much; nothing is freed for it. */
const SLACK_BYTES = PUNCH_BYTES_MIN / 4;
/** Of the bound, what stays when it is reached: not every second something has to go. */
const KEPT_RATIO = 7 / 8;
/** Of the bound, what always stays of the file that is written. */
const NEWEST_RATIO = 1 / 2;

export type JournalFile = {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  /** Bytes of the disk that it takes. */
  readonly allocated: number;
  readonly modifiedMs: number;
  readonly holes: readonly Hole[];
  /** Bytes before it are taken (logs/intake): nobody misses them, freed or not yet. */
  readonly takenTo?: number;
};
export type Surplus = {
  readonly remove: readonly JournalFile[];
  readonly punch: readonly { readonly file: JournalFile; readonly ranges: readonly Range[] }[];
};

export const lengthOf = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, { from, to }) => sum + to - from, 0);

/** What of a stretch is there. */
export function keptOf(holes: readonly Range[], { from, to }: Range): Range[] {
  const kept: Range[] = [];
  let at = from;
  for (const hole of holes) {
    if (hole.from > at) kept.push({ from: at, to: Math.min(hole.from, to) });
    at = Math.max(at, hole.to);
    if (at >= to) break;
  }
  if (at < to) kept.push({ from: at, to });
  return kept.filter((piece) => piece.to > piece.from);
}

/** What of a file is there and was not taken. */
export const leftOf = ({ size, holes, takenTo = 0 }: JournalFile): Range[] =>
  keptOf([{ from: 0, to: takenTo }, ...holes], { from: 0, to: size });

/** The first `bytes` of what is there. */
function oldestOf(kept: readonly Range[], bytes: number): Range[] {
  const taken: Range[] = [];
  let left = bytes;
  for (const { from, to } of kept) {
    if (left <= 0) break;
    taken.push({ from, to: Math.min(to, from + left) });
    left -= to - from;
  }
  return taken;
}

/** Pieces with nothing left between them become one, from the very front of the file. */
function joined(taken: readonly Range[], holes: readonly Hole[]): Range[] {
  const whole: Range[] = [];
  for (const piece of taken) {
    const last = whole.at(-1);
    const from = last === undefined ? 0 : last.to;
    if (keptBytes(holes, { from, to: piece.from }) > 0) whole.push(piece);
    else if (last === undefined) whole.push({ from: 0, to: piece.to });
    else whole[whole.length - 1] = { from: last.from, to: piece.to };
  }
  return whole;
}

/**
 * @param open the file of the life that runs; never removed.
 * @param bytesMax of all files together.
 */
export function judgeSize(
  files: readonly JournalFile[],
  open: string | undefined,
  bytesMax: number,
): Surplus {
  const byAge = [...files].sort(
    (a, b) =>
      Number(a.path === open) - Number(b.path === open) ||
      a.modifiedMs - b.modifiedMs ||
      (a.path < b.path ? -1 : 1),
  );
  const remove: JournalFile[] = [];
  const mayGo = ({ path }: JournalFile): boolean => path !== open;
  const tooMany = byAge.slice(0, Math.max(0, byAge.length - OUTPUT_FILES_MAX)).filter(mayGo);
  remove.push(...tooMany);
  const rest = byAge.filter((file) => !remove.includes(file));
  const total = rest.reduce((sum, { allocated }) => sum + allocated, 0);
  if (total <= bytesMax) return { remove, punch: [] };
  const punch: { file: JournalFile; ranges: Range[] }[] = [];
  let excess = total - bytesMax * KEPT_RATIO;
  for (const file of rest) {
    const { path, holes, allocated } = file;
    const left = leftOf(file);
    if (excess < SLACK_BYTES) break;
    if (mayGo(file) && allocated <= excess) {
      remove.push(file);
      excess -= allocated;
      continue;
    }
    const stays = path === open ? bytesMax * NEWEST_RATIO : 0;
    const most = Math.min(excess, lengthOf(left) - stays);
    const taken = oldestOf(left, Math.floor(most));
    if (lengthOf(taken) < SLACK_BYTES) continue;
    punch.push({ file, ranges: joined(taken, holes) });
    excess -= lengthOf(taken);
  }
  return { remove, punch };
}

export type Growth = {
  /** Its size at the look before, and now. */
  readonly from: number;
  readonly size: number;
  readonly elapsedMs: number;
  readonly bytesPerSecondMax: number;
};

/** What was printed faster than is kept since the look before. */
export function judgeRate({ from, size, elapsedMs, bytesPerSecondMax }: Growth): Range | undefined {
  const allowed = Math.floor((bytesPerSecondMax * elapsedMs) / 1_000);
  return size - from - allowed < PUNCH_BYTES_MIN ? undefined : { from, to: size - allowed };
}

/** Between more holes than are noted, the oldest piece is given up. */
export function judgeCrowd(holes: readonly Hole[]): Range | undefined {
  if (holes.length <= HOLES_MAX) return undefined;
  const [first, second] = holes;
  return first && second && { from: first.to, to: second.from };
}

/** @returns the holes with a new one, and how many bytes it takes that were there. */
export function withHole(
  holes: readonly Hole[],
  added: Omit<Hole, 'bytes'>,
): { readonly holes: Hole[]; readonly bytes: number } {
  const bytes = keptBytes(holes, added);
  return { holes: addHole(holes, { ...added, bytes: added.to - added.from }), bytes };
}
