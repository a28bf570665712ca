// Rows of a hexadecimal dump (hexdump -C, xxd, od). A number that lies within one row is coded.ts's; but a dump cuts
// every sixteen bytes, and a line tells nothing of the next. So digits that touch an edge of a row go, from three
// on, with the characters at the row's right: whatever the cut, at most two digits of a number stay on either
// side. Names in track 1 and binary coded numbers that go over two rows are beyond what one line can tell.

import type { Span } from './span.ts';

const OFFSET = '(?<![0-9A-Za-z])(?:[0-9a-fA-F]{3,7}0(?:: {0,2}| {2,3})|0[0-9a-fA-F]{4,6}0 )';
const BYTES = '[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})?(?: {1,2}|(?![^|]))';
/** The end of an offset and a byte, which are quick to ask for. */
export const DUMP_TRIGGER = /0[: ](?<=(?<![0-9A-Za-z])[0-9a-fA-F]{4,8}[: ]) {0,2}[0-9a-fA-F]{2}/;
const ROW = new RegExp(`${OFFSET}((?:${BYTES}){1,16})`, 'g');
const ROW_BYTES_MAX = 16;
const DIGITS_MIN = 3;
/** Digits with what stands between groups and, in track 2, behind the number. */
const HEAD = /^;?(?:\d[ =?-]?)*/;
const TAIL = /(?:\d[ =-]?)*$/;

type Byte = { readonly start: number; readonly char: string };

/** The bytes of a row, as they are printed at its right. */
function bytesOf(from: number, hexes: string): Byte[] {
  return [...hexes.matchAll(/[0-9a-f]{2}/gi)].slice(0, ROW_BYTES_MAX).map(({ 0: hex, index }) => {
    const code = Number.parseInt(hex, 16);
    const isPrinted = code >= 32 && code < 127;
    return { start: from + index, char: isPrinted ? String.fromCharCode(code) : '.' };
  });
}

/** Where the characters of the row are printed at its right. */
function printedAt(text: string, bytes: readonly Byte[]): number | undefined {
  const end = (bytes.at(-1)?.start ?? 0) + 2;
  const printed = bytes.map(({ char }) => char).join('');
  const column = text.slice(end, end + 48);
  const at = column.indexOf(printed, /^ *\|?/.exec(column)?.[0].startsWith(' ') ? 1 : 0);
  return at < 0 ? undefined : end + at;
}

const countDigits = (text: string): number => text.replace(/\D/g, '').length;

/** Of a row, the characters from the first to behind the last that go. */
function edges(chars: string): [number, number][] {
  const head = HEAD.exec(chars)?.[0] ?? '';
  const tail = TAIL.exec(chars)?.[0] ?? '';
  const found: [number, number][] = [];
  if (countDigits(head) >= DIGITS_MIN) found.push([0, head.length]);
  if (countDigits(tail) >= DIGITS_MIN && head.length < chars.length) {
    found.push([chars.length - tail.length, chars.length]);
  }
  return found;
}

const spanOf = (start: number, end: number): Span => ({
  ...{ kind: 'pan', start, end },
  mark: '[REMOVED]',
});

export function findDumps(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: whole, 1: hexes = '', index } of text.matchAll(ROW)) {
    const bytes = bytesOf(index + whole.length - hexes.length, hexes);
    const right = printedAt(text, bytes);
    const cut = edges(bytes.map(({ char }) => char).join(''));
    for (const [from, to] of cut) {
      spans.push(spanOf(bytes[from]?.start ?? 0, (bytes[to - 1]?.start ?? 0) + 2));
    }
    if (right === undefined) continue;
    for (const [from, to] of cut) spans.push(spanOf(right + from, right + to));
  }
  return spans;
}
