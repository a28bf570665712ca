// How long each ESC/POS command is, so that a pretend printer knows text from commands and when a command is
// whole. Lengths come from the manuals of two makers (research/pos.md 1.2); an unknown command counts as
// three bytes, which is right for most. Pure.

const ESC = 0x1b;
const GS = 0x1d;
const FS = 0x1c;
const DEFAULT_BYTES = 3;

const codes = (text: string, bytes: number): [number, number][] =>
  [...text].map((char) => [char.charCodeAt(0), bytes]);
const FIXED: Readonly<Record<number, ReadonlyMap<number, number>>> = {
  [ESC]: new Map([
    ...codes('@23LSim<v\x0c', 2),
    ...codes('3', 3),
    ...codes('$\\cB', 4),
    ...codes('p', 5),
    ...codes('W', 10),
  ]),
  [GS]: new Map([...codes(':', 2), ...codes('LWP\\$', 4), ...codes('^', 5)]),
  [FS]: new Map([...codes('.&', 2), ...codes('Sp', 4)]),
};

const word = (bytes: readonly number[], at: number): number =>
  (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);

/** Needs the length fields themselves first. */
const counted = (bytes: readonly number[], head: number, rest: () => number): number =>
  bytes.length < head ? head : head + rest();

/** Up to and with the closing NUL; one more than there is while it is missing. */
const closed = (bytes: readonly number[], from: number): number => {
  const end = bytes.indexOf(0, from);
  return end < 0 ? bytes.length + 1 : end + 1;
};

function barcode(bytes: readonly number[]): number {
  const kind = bytes[2];
  if (kind === undefined) return 3;
  return kind <= 6 ? closed(bytes, 3) : counted(bytes, 4, () => bytes[3] ?? 0);
}

function columnImage(bytes: readonly number[]): number {
  const dotsHigh = (bytes[2] ?? 0) >= 32 ? 3 : 1;
  return counted(bytes, 5, () => word(bytes, 3) * dotsHigh);
}

function variable(bytes: readonly number[], first: number, second: number): number | undefined {
  const name = String.fromCharCode(second);
  if ((first === GS || first === FS) && name === '(')
    return counted(bytes, 5, () => word(bytes, 3));
  if (first === ESC && name === 'D') return closed(bytes, 2);
  if (first === ESC && name === '*') return columnImage(bytes);
  if (first !== GS) return undefined;
  if (name === 'v') return counted(bytes, 8, () => word(bytes, 4) * word(bytes, 6));
  if (name === '8') return counted(bytes, 7, () => word(bytes, 3) + 65_536 * word(bytes, 5));
  if (name === 'k') return barcode(bytes);
  if (name === '*') return counted(bytes, 4, () => (bytes[2] ?? 0) * (bytes[3] ?? 0) * 8);
  // GS V 65 and its kin feed first and have one byte more.
  if (name === 'V') return bytes.length < 3 ? 3 : (bytes[2] ?? 0) >= 65 ? 4 : 3;
  return undefined;
}

/** @returns how many bytes the command at the front has, as far as one can tell from what is there. */
export function commandBytes(bytes: readonly number[]): number {
  const [first, second] = bytes;
  if (first === undefined) return 0;
  const fixed = FIXED[first];
  if (fixed === undefined) return 1;
  if (second === undefined) return 2;
  return variable(bytes, first, second) ?? fixed.get(second) ?? DEFAULT_BYTES;
}

/** Real-time commands: taken out of the stream wherever they are, also in the middle of an image. */
const REAL_TIME_BYTES: Readonly<Record<number, number>> = { 4: 3, 5: 3, 20: 5 };
const DLE = 0x10;
const CLEAR_BYTES = 10;

/** @returns how many bytes the real-time command has; 0: it is none. */
export function realTimeBytes(bytes: readonly number[]): number {
  const [first, second, third] = bytes;
  if (first !== DLE) return 0;
  if (second === undefined) return 2;
  const length = REAL_TIME_BYTES[second] ?? 0;
  return second === 20 && third === 8 ? CLEAR_BYTES : length;
}
