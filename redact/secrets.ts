// Secrets that are known by their form, wherever they stand: tokens of ours and of well known services, JSON web
// tokens, what follows Bearer and Basic, names and passwords in URLs, and private keys. Secrets known by the key
// before them are in keyed.ts. Each form begins with a word of its own, so a line without one costs a look.

import type { Span } from './span.ts';

const PEM = '-----BEGIN [A-Z ]{0,24}PRIVATE KEY-----';
const FORMS: readonly string[] = [
  // Ours: enrolment, operators, sessions (protocol/enrolment.ts, protocol/operators.ts).
  'tw[eos]1\\.[\\w.~+/=-]{8,256}',
  'eyJ[\\w-]{8,}\\.[\\w-]{4,}(?:\\.[\\w-]*)?',
  '(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])',
  'gh[opsur]_[0-9A-Za-z]{30,255}',
  'github_pat_\\w{30,255}',
  'glpat-[\\w-]{20,64}',
  'npm_[0-9A-Za-z]{36}',
  'xox[abeoprs]-[0-9A-Za-z-]{10,250}',
  '[rs]k_(?:live|test)_[0-9A-Za-z]{16,250}',
  'AIza[\\w-]{35}',
  'hooks\\.slack\\.com/services/[\\w/]{10,100}',
  'SG\\.[\\w-]{16,64}\\.[\\w-]{16,64}',
];
const SCHEME =
  '(?:[Bb]earer|[Bb]asic|BEARER|BASIC|Token|Negotiate|NTLM|ApiKey)(?: |%20|\\+)([\\w.~+/=-]{2,})';
/** A header, behind which every credential is one; elsewhere it must look like one. */
const IN_HEADER = /authorization(?:\\{0,8}["'])? ?[:=] ?(?:\\{0,8}["'])?$/i;
const HEADER_CHARS_MAX = 40;
const LONG_CHARS = 16;
const URL_LOGIN = '(?<=[a-z0-9+]://)[^\\s/:@"\'<>]{0,64}:[^\\s/"\'<>]{1,128}(?=@)';

const ARGUMENT = '(?<=(?<!\\S)--pass(?:word|wd|phrase)? )[^\\s\\[-][^\\s"\']{0,127}';

const SOURCE = `(?<![0-9A-Za-z])(?:${FORMS.join('|')})|(?<![0-9A-Za-z])${SCHEME}|${URL_LOGIN}|${ARGUMENT}|${PEM}`;

/** The same forms from their rarest character on, so that a line without one costs next to nothing. */
export const SECRET_TRIGGER = new RegExp(
  [
    '\\.(?<=tw[eos]1\\.|SG\\.)|_(?<=gh[opsur]_|github_pat_|npm_|k_live_|k_test_)|-(?<=glpat-|xox[abeoprs]-)',
    'J(?<=eyJ)[\\w-]{8}|A(?<=A(?:KI|SI|BI|CC)A)[0-9A-Z]{16}|z(?<=AIz)a[\\w-]{35}|Y-(?<=PRIVATE KEY-)',
    ':(?<=horization["\'\\\\]{0,9} ?:)|=(?<=horization=)|k(?<=hooks\\.slack)|-(?<=(?<!\\S)--)pass',
    'B(?=earer|asic|EARER|ASIC)|b(?=earer|asic)|:(?=//[^\\s/:@"\'<>]{0,64}:[^\\s/@"\'<>]{1,128}@)',
  ].join('|'),
);
/**
 * A line of a private key that was printed over several: as wide as every tool writes it, and no hash. The last,
 * short line is told from nothing by itself; of an RSA key those few bytes do not make the others known.
 */
const PEM_LINE =
  '(?<=^[ \\t|>]{0,8})(?=[+/0-9A-Za-z]{0,63}[g-zG-Z+/])(?=[+/0-9a-z]{0,63}[A-Z])[0-9A-Za-z+/]{64}(?=\\r?$)';
export const PEM_TRIGGER = /[0-9A-Za-z+/]\r?\n(?<=(?<![^\s|>])[0-9A-Za-z+/]{64}\r?\n)/;
const SECRET = new RegExp(`${SOURCE}|${PEM_LINE}`, 'g');
/** What a credential has and a word of ordinary text has not. */
const CREDENTIAL = /\d|[a-z][A-Z]|[=_]/;
const KEY_CHARS_MAX = 8_192;

/** A key on one line, with its line ends written as \n, or to the end of what there is. */
function pemEnd(text: string, from: number): number {
  const end = text.indexOf('-----END', from);
  if (end < 0 || end - from > KEY_CHARS_MAX) {
    const body = /^(?:[0-9A-Za-z+/=\s]|\\+[nr])*/.exec(text.slice(from, from + KEY_CHARS_MAX));
    return from + (body?.[0].length ?? 0);
  }
  const close = text.indexOf('-----', end + 8);
  return close < 0 ? end : close + 5;
}

function isCredential(credential: string, text: string, start: number, whole: string): boolean {
  if (IN_HEADER.test(text.slice(Math.max(0, start - HEADER_CHARS_MAX), start))) return true;
  if (!/^b/i.test(whole) || credential.length < 6) return false;
  return credential.length >= LONG_CHARS || CREDENTIAL.test(credential);
}

export function findSecrets(text: string): Span[] {
  const spans: Span[] = [];
  SECRET.lastIndex = 0;
  for (let match = SECRET.exec(text); match !== null; match = SECRET.exec(text)) {
    const { 0: whole, 1: credential, index } = match;
    let start = index;
    let end = index + whole.length;
    if (credential !== undefined) {
      if (!isCredential(credential, text, index, whole)) continue;
      start = end - credential.length;
    } else if (whole.startsWith('-----')) end = pemEnd(text, end);
    SECRET.lastIndex = end;
    spans.push({ kind: 'secret', start, end, mark: '[SECRET]' });
  }
  return spans;
}
