// Addresses of e-mail (research/pos.md 9, R10). The look starts at the @, which is rare, and goes to both
// sides from there, so a line without one costs nothing. Names of files and services look like hosts behind
// an @ in stack traces and unit names, and are none.

import type { Span } from './span.ts';

const AT = /@|%40|\\u0040/g;
export const EMAIL_TRIGGER = /[\w.%+-](?:@|%40|\\u0040)[a-zA-Z0-9]/;
const LOCAL = /(?<=([\w.+-]{1,64}))/y;
const HOST = /[a-zA-Z0-9-]{1,63}(?:\.[a-zA-Z0-9-]{1,63}){1,8}/y;
const TOP = /\.([a-zA-Z]{2,24})$/;
const NO_HOST =
  /^(?:[cm]?[jt]sx?|py|rb|go|java|class|json|conf|service|socket|timer|target|slice|mount|so|dll)$/i;

export function findEmails(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: sign, index } of text.matchAll(AT)) {
    HOST.lastIndex = index + sign.length;
    const host = HOST.exec(text)?.[0];
    const top = host === undefined ? undefined : TOP.exec(host)?.[1];
    if (host === undefined || top === undefined || NO_HOST.test(top)) continue;
    LOCAL.lastIndex = index;
    const local = LOCAL.exec(text)?.[1];
    if (local === undefined) continue;
    const start = index - local.length;
    const end = index + sign.length + host.length;
    if (start >= (spans.at(-1)?.end ?? 0))
      spans.push({ kind: 'email', start, end, mark: '[EMAIL]' });
  }
  return spans;
}
