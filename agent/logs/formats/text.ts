// Bytes of a till's output as text. Nearly all of it is UTF-8 and passes as it is. What is not is read the way that fits
// it best: UTF-16 by its mark or its nulls, the DOS code page of old receipt programs by its letters within words and
// its boxes, and Windows-1252 otherwise; where UTF-8 and another stand in one line, each part is read as what it
// is. Every byte comes out as text or is one of a few that say nothing: marks of byte order, nulls, colours of a
// screen. A control character becomes its picture and never a number: `\x02` before a card number would hide it from
// the redactor. What came out is valid UTF-8 and comes out the same again. Pure, linear, never throws.

import { isUtf8 } from 'node:buffer';

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** From byte 128 on; a blank: nothing has that byte. */
const WINDOWS_1252 =
  '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿' +
  'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ';
/** Code page 850 with the euro sign: what DOS programs print in western Europe; 437 has the same letters and boxes. */
const DOS_858 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐' +
  '└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0';

/** Controls but tab and line feed, and what terminals are told with. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ODD = /[\x00-\x08\x0b-\x1f\x7f-\x9f]|\ufeff/;
/**
 * ECMA-48: commands of a screen (colours, places of the cursor), titles of its window; the text within is bounded, and
 * no digit goes that may be the first of a number.
 */
const SCREEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[ -/]{0,8}(?:[:-Z^-~]|\d(?!\d)))/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
const PICTURES = 0x2400;
const PICTURE_OF_DELETE = '\u2421';

/** As `less` shows it; never digits alone beside digits. */
const shown = (byte: number): string => `<${byte.toString(16).padStart(2, '0')}>`;

function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(PICTURES + code);
  return code === 0x7f ? PICTURE_OF_DELETE : shown(code);
}

/** A line end of any system becomes one line feed; one at the very end is the caller's. */
function clean(text: string): string {
  if (!ODD.test(text)) return text;
  return text
    .replaceAll(/\0+|\ufeff/g, '')
    .replaceAll(SCREEN, '')
    .replace(/\r+$/, '')
    .replaceAll(/\r+\n?/g, '\n')
    .replaceAll(CONTROLS, picture);
}

const isLetter = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122));

/** Letters of the DOS code pages that are quotes or dashes in Windows: within a word only they are letters. */
const DOS_LETTERS = new Set([
  ...[0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e],
  ...[0x8f, 0x90, 0x91, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9d],
  ...[0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5],
]);
/** Windows has nothing there. */
const DOS_ONLY = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);
const BOXES = new Set([
  ...[0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb9, 0xba, 0xbb, 0xbc, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4],
  ...[0xc5, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xd9, 0xda, 0xdb, 0xdc, 0xdf],
]);

/** Which of the two a line of one byte a character is more likely to be. */
function isDos(bytes: Buffer): boolean {
  let [dos, windows] = [0, 0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) continue;
    const [before, after] = [bytes[at - 1], bytes[at + 1]];
    const isWithin = isLetter(before) && isLetter(after);
    if (DOS_ONLY.has(byte) && (isLetter(before) || isLetter(after))) dos += 2;
    else if (DOS_LETTERS.has(byte) && isWithin) dos += 1;
    else if (BOXES.has(byte) && before === byte) dos += 1;
    else if (byte >= 0xc0 && (isLetter(before) || isLetter(after))) windows += 1;
  }
  return dos > windows;
}

/** Length of the UTF-8 character that begins there, 0 when none does. */
function characterBytes(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/** Bytes that are no UTF-8 as a whole: what is keeps its meaning, the rest is one byte a character. */
function mixedText(bytes: Buffer): string {
  const isOld = isDos(bytes);
  const table = isOld ? DOS_858 : WINDOWS_1252;
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    // Two letters or boxes of DOS often look like one character of UTF-8.
    const length = byte < 0x80 ? 1 : isOld ? 0 : characterBytes(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    const character = table[byte - 0x80] ?? ' ';
    pieces.push(bytes.toString('utf8', from, at), character === ' ' ? shown(byte) : character);
    at += 1;
    from = at;
  }
  pieces.push(bytes.toString('utf8', from));
  return pieces.join('');
}

const SAMPLE_BYTES = 512;
/** So many of its bytes on one side are nulls: no text of one byte a character has that. */
const NULLS_MIN_RATIO = 0.4;
const NULLS_MAX_RATIO = 0.1;

/** Where the nulls of a text of two bytes a character stand: in the even or the odd places. */
function nullsAt(bytes: Buffer): 'even' | 'odd' | undefined {
  const sample = Math.min(bytes.length, SAMPLE_BYTES);
  if (sample < 4) return undefined;
  const nulls = [0, 0];
  for (let at = 0; at < sample; at += 1) {
    if (bytes[at] === 0) nulls[at % 2] = (nulls[at % 2] ?? 0) + 1;
  }
  const [even = 0, odd = 0] = nulls.map((count) => count / (sample / 2));
  if (odd >= NULLS_MIN_RATIO && even <= NULLS_MAX_RATIO) return 'odd';
  return even >= NULLS_MIN_RATIO && odd <= NULLS_MAX_RATIO ? 'even' : undefined;
}

/** Half a character at the end is a byte of its own. */
function wideText(bytes: Buffer, isBig: boolean): string {
  const even = bytes.length - (bytes.length % 2);
  const text = isBig
    ? Buffer.from(bytes.subarray(0, even)).swap16().toString('utf16le')
    : bytes.toString('utf16le', 0, even);
  const last = bytes[even];
  const rest = last === undefined || last === 0 ? '' : shown(last);
  return `${text.toWellFormed()}${rest}`;
}

/** A line of UTF-16 that was cut at its line feed begins with the other half of that one. */
function asWide(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return wideText(bytes, false);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return wideText(bytes, true);
  if (!bytes.subarray(0, SAMPLE_BYTES).includes(0)) return undefined;
  const nulls = nullsAt(bytes);
  if (nulls === undefined) return undefined;
  if (nulls === 'odd') return wideText(bytes, false);
  // Either big-endian, which hardly anything writes, or behind a cut: of letters of ours both read the same.
  return bytes[0] === 0 && bytes.length % 2 === 1
    ? wideText(bytes.subarray(1), false)
    : wideText(bytes, true);
}

/**
 * @param bytes one line, or several; not cut within a character if that can be helped.
 * @returns valid UTF-8; line ends within are line feeds.
 */
export function decodeText(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  const wide = asWide(buffer);
  if (wide !== undefined) return clean(wide);
  return clean(isUtf8(buffer) ? buffer.toString('utf8') : mixedText(buffer));
}
