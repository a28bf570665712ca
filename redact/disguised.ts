// Numbers in disguise: with colours, soft hyphens or zero-width characters in them, in digits of other scripts, and
// in escapes that were escaped once more. Of a line that holds one of these a plain copy is made, the copy is searched,
// and what is found goes from the line itself. Each form is here twice where it is not ASCII: as a character,
// and as the bytes of UTF-8 that a stream shows one by one (stream.ts).

import { findCoded } from './coded.ts';
import { findInner, placed } from './inner.ts';
import type { Span } from './span.ts';

/** Nobody sees them: colours and movements of the cursor, zero-width characters, soft hyphens. */
const UNSEEN = [
  '(?:\\x1b|\\\\{1,8}(?:u001[bB]|x1[bB]|033|e))\\[[0-9;?]{0,16}[A-Za-z]',
  '[\\u00ad\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2064\\ufeff\\b\\v]',
  '\\u00c2\\u00ad|\\u00e2\\u0080[\\u008b-\\u008f\\u00aa-\\u00ae]|\\u00e2\\u0081[\\u00a0-\\u00a4]',
  '\\u00ef\\u00bb\\u00bf|\\u00e1\\u00a0\\u008e',
  '\\\\{1,8}u(?:00[aA][dD]|200[b-fB-F]|2060|[fF][eE][fF][fF])',
  '&(?:amp;)?(?:shy|zwj|zwnj|#8203|#820[45]|#173|#[xX]200[bBcCdD]|#[xX][aA][dD]);',
].join('|');
const BLANK = [
  '\\u3000|\\u00e3\\u0080\\u0080|\\\\{1,8}u3000',
  '&(?:amp;)?(?:[et]n?sp|emsp|thinsp|#819[2-9]|#820[0-2]|#[xX]200[0-9aA]);|(?<=\\d)=20(?=\\d)',
].join('|');
/** Of other scripts: Arabic, Persian, Devanagari, wide. The last four bits tell which digit, but for Devanagari. */
const DIGIT = [
  '[\\u0660-\\u0669\\u06f0-\\u06f9\\u0966-\\u096f\\uff10-\\uff19]',
  '\\u00d9[\\u00a0-\\u00a9]|\\u00db[\\u00b0-\\u00b9]|\\u00e0\\u00a5[\\u00a6-\\u00af]|\\u00ef\\u00bc[\\u0090-\\u0099]',
  '\\\\{1,8}u(?:066|06[fF]|[fF][fF]1)\\d',
].join('|');
/** What stands for a sign that begins another code. */
const SIGN =
  '%(?:25){1,8}(?=[0-9a-fA-F]{2})|&amp;(?=#|nbsp)|&#[xX]?0{1,6}(?=[0-9a-fA-F])|(?<=\\d)=3[dD](?=\\d)';

const SOURCE = `(${UNSEEN})|(${BLANK})|(${DIGIT})|(${SIGN})`;
const CODE = new RegExp(SOURCE, 'g');
const DISGUISE = new RegExp(SOURCE);
/** What stands right before a number may have hidden its first digit. */
const BEFORE = 8;
/** Only beside a digit, or as a digit, is any of it a disguise; two of a kind are enough to look. */
export const DISGUISE_TRIGGER = new RegExp(
  `(?:${UNSEEN}|${BLANK})(?=[0-9\\x1b\\\\])(?<=\\d.{0,24})|(?:${DIGIT}){2}|${SIGN}`,
);

const digitOf = (written: string): string => {
  const last = written.charCodeAt(written.length - 1);
  if (written.startsWith('\\')) return written.slice(-1);
  const isDevanagari = /^[\u0966-\u096f]|^\u00e0/.test(written);
  return String((last & 15) - (isDevanagari ? 6 : 0));
};

function plainOf(whole: string, match: RegExpExecArray): string {
  if (match[1] !== undefined) return '';
  if (match[2] !== undefined) return ' ';
  if (match[3] !== undefined) return digitOf(whole);
  if (whole.startsWith('%')) return '%';
  if (whole.startsWith('=')) return '=';
  return /^&#[xX]/.test(whole) ? '&#x' : whole.startsWith('&#') ? '&#' : '&';
}

export function findDisguised(line: string): Span[] {
  const starts: number[] = [];
  const ends: number[] = [];
  let plain = '';
  const copy = (from: number, to: number): void => {
    for (let at = from; at < to; at += 1) {
      starts.push(at);
      ends.push(at + 1);
    }
    plain += line.slice(from, to);
  };
  let copied = 0;
  CODE.lastIndex = 0;
  for (let match = CODE.exec(line); match !== null; match = CODE.exec(line)) {
    const [whole] = match;
    copy(copied, match.index);
    copied = match.index + whole.length;
    const put = plainOf(whole, match);
    for (let turn = 0; turn < put.length; turn += 1) {
      starts.push(match.index);
      ends.push(copied);
    }
    plain += put;
  }
  if (copied === 0) return [];
  copy(copied, line.length);
  const spans = placed([...findInner(plain), ...findCoded(plain)], { starts, ends });
  // What has no disguise in it is found by the others, with what stands around it.
  return spans
    .filter(({ start, end }) => DISGUISE.test(line.slice(Math.max(0, start - BEFORE), end)))
    .sort((a, b) => a.start - b.start);
}
