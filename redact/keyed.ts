// Values that are known by the key before them (research/pos.md 9, R2, R4 and R10): card data, fields of ISO 8583 and
// of chips, names, phone numbers, numbers of loyalty cards, secrets. A key counts in JSON at any depth of escapes, as
// key=value, as "key: value", in a URL and as element or attribute of XML. What a key may hold is asked where the key is
// also a word of ordinary text ("pin", "57", "token"), so that ordinary text stays.

import { type Kind, MARKED, type Span } from './span.ts';

type Class = {
  readonly keys: string;
  readonly kind: Kind;
  readonly mark: string;
  /** What a value must look like; with `quoted`, anything goes in quotes. */
  readonly fits: RegExp;
  readonly quoted?: boolean;
  /** Whether the value may be several words. */
  readonly words?: boolean;
  /** Whether the value is pairs with semicolons between them. */
  readonly pairs?: boolean;
};

const J = '[ _-]?';
/** Where a key begins: after no letter or digit but those of an escape of a URL. */
const B = '(?:(?<![a-z0-9])|(?<=%[2-7][0-9a-f]))';
/** A field by number, as hosts and their libraries log it: DE2, DE002, F035, field 35, bit[52], id="2". */
const field = (numbers: string): string =>
  `(?<![a-z0-9]|[0-9a-f]{2}:)(?:de|df|f|p|s|fld|field|bit|data${J}element|isofield)${J}[\\[(#]?0{0,2}(?:${numbers})[\\])]?(?![0-9])|(?<=<field[^<>]{0,20} )id="0{0,2}(?:${numbers})"[ ]value`;
const ANY = /^/;
/** What camelCase has before a key, where no letter may stand else. */
const OF = `(?:(?:card|customer|user|entered|encrypted|enc|online|offline|new|old|client)${J})?`;
const PERSON = `card${J}holder(?:${J}name)?|holder${J}name|name${J}on${J}card|(?:customer|cashier|employee|first|last|full|given|family|middle)${J}name|surname|nachname|vorname|titulaire(?:${J}de${J}la${J}carte)?|embossed${J}name|karteninhaber`;
const HEXES = /^(?:0x)?[0-9a-f][0-9a-f :-]{6,}/i;

const CLASSES: readonly Class[] = [
  {
    ...{ kind: 'key', mark: '[REMOVED]', fits: ANY },
    keys: `${B}${OF}(?:track${J}[123](?:${J}(?:data|equivalent(?:${J}data)?))?|pin${J}(?:block|data)(?:${J}(?:hex|value))?|ksn|icc${J}data|mag${J}stripe(?:${J}data)?)`,
  },
  {
    ...{ kind: 'key', mark: '[REMOVED]', fits: /\d/, quoted: true },
    keys: `${B}${OF}(?:(?:cvv2?|cvc2?|cav2|csc|pin)(?:${J}(?:code|value|number))?|(?:security|verification)${J}(?:code|value|number))`,
  },
  {
    ...{ kind: 'key', mark: '[REMOVED]', fits: /[0-9]{4}|^[0-9a-f ]{8}|\d{3}$/i },
    keys: `${B}(?:${OF}pan(?:${J}(?:no|number))?|primary${J}account${J}number|card${J}n(?:o|r|um|umber)s?|karten${J}(?:nr|nummer)|num(?:\u00e9|\u00c3\u00a9|e)ro${J}(?:de${J})?carte|card${J}data|track(?:${J}data)?|cid|emv(?:${J}data)?|tlv(?:${J}data)?|chip${J}data)`,
  },
  { kind: 'emv', mark: '[EMV]', fits: /\d{8}|(?:\d[ -]?){12}/, keys: field('2') },
  {
    ...{ kind: 'emv', mark: '[EMV]', fits: /\d{8}|[\^=]|(?:[0-9a-f]{2} ){8}/i },
    keys: field('35|36|45'),
  },
  { kind: 'emv', mark: '[EMV]', fits: HEXES, keys: field('52|55') },
  {
    ...{ kind: 'emv', mark: '[EMV]' },
    fits: /^(?:0x)?(?:[0-9a-f]{2}[ :-]?){3}|^[a-z .]{2,26}\/[a-z .]{0,26}$/i,
    // Four digits behind a colon, or before more of them, are an address of IPv6.
    keys: `(?<![0-9a-f]{2}:)${B}(?:tag[ _-]?)?(?:5F20|5F24|9F1F|9F20|9F6B)(?!:[0-9a-f]{0,4}:)`,
  },
  {
    ...{ kind: 'emv', mark: '[EMV]' },
    fits: /^(?:0x)?(?:[0-9a-f]{2}[ :-]?){7}/i,
    keys: '(?<![a-z0-9:.,])(?:(?:tag|0x)[ _-]?)?(?:5A|57|56|99)',
  },
  {
    ...{ kind: 'name', mark: '[NAME]', fits: /[a-z\u0080-\uffff]{2}/i, words: true },
    keys: PERSON,
  },
  {
    ...{
      kind: 'phone',
      mark: '[PHONE]',
      fits: /^(?:\+|%2b)?[(\d][\d ()/.-]{4,20}$/i,
    },
    keys: `(?:phone|msisdn|telefon|(?<![a-z])(?:mobile|tel|fax|cell))(?:${J}(?:no|nr|number))?`,
    words: true,
  },
  {
    ...{ kind: 'key', mark: '[REMOVED]', fits: /\d{5}/ },
    keys: `(?<![a-z])(?:loyalty|member(?:ship)?|bonus|reward|payback|club|customer${J}card)(?:${J}(?:card|id|no|nr|number|account)){0,2}`,
  },
  {
    ...{ kind: 'secret', mark: '[SECRET]', fits: /^[^/\s]/ },
    keys: `pass(?:word|wd|phrase|code)|(?:pass|kenn)wort|mot${J}de${J}passe|(?<![a-z])(?:pwd|mdp)|(?<=[a-z0-9]_)pass|(?<![a-z])pass(?==)|secret|(?:secret|api|private|access|account|signing|encryption)${J}key(?:${J}id)?|(?:auth|access|refresh|id|session|bearer|csrf|enrol(?:l?ment)?)${J}token|connection${J}string`,
  },
  {
    ...{ kind: 'secret', mark: '[SECRET]', fits: /^(?=\S*\d)\S{8}|^[\w.~+/-]{16}/ },
    keys: '(?<![a-z])(?:token|credentials?)',
  },
  {
    ...{
      kind: 'secret',
      mark: '[SECRET]',
      fits: /^[^=\s]{1,64}=|^\S{12}/,
      pairs: true,
    },
    keys: `(?<![a-z])(?:(?:set-)?cookie|j?session${J}id)`,
  },
];

const QUOTE = '\\\\{0,8}["\']|%22|&quot;|&#34;';
/** Colours of a terminal, and the same in JSON. */
const COLOUR = '(?:(?:\\x1b|\\\\{1,8}u001b)\\[[0-9;]{0,12}m)?';
const MARK_WORD =
  '(?:PAN [a-z]+ \\.{4}\\d{4}|TRACK|CODE|EMV|REMOVED|NAME|EMAIL|PHONE|SECRET|CUSTOM [a-z-]+)\\]';
/** The value may be the first of a list, or lie in an object under a key that says nothing. */
const OPEN = `(?:\\[[ ]?(?!${MARK_WORD})|\\{[ ]?(?:${QUOTE})?(?:value|number|data|text|raw|plain|name|code|v)(?:${QUOTE})?[ ]?[:=][ ]?)?`;
/** Between key and value. Of an element of XML, all that may stand before its end. */
const BETWEEN = `(?:${QUOTE})?${COLOUR}\\]?[ ]?(?:=>|[:=]|%3[adAD])[ ]{0,2}${COLOUR}${OPEN}|(?<=<(?:/?\\w{1,20}:)?\\w{1,40})(?:[ ][^<>]{0,80})?>`;
const SOURCE = `(?:${CLASSES.map(({ keys }) => `(${keys})`).join('|')})(${BETWEEN})(${QUOTE})?`;
const KEYED = new RegExp(SOURCE, 'gi');

/**
 * How keys end. The look for lines starts at what stands behind a key, which is rare, and only then goes back: some
 * twenty times as quick as looking for each key at each letter. A test holds it against the keys themselves.
 */
const TAILS = [
  'ata|club|(?:car|war|wor|ssw|pw|(?<!p)i)d|(?:rip|nam|hon|bil|ras|cod|oki|valu|art|air|ass)e|pass|mdp|hex|ring|(?:loc|rac|bac)k',
  '(?:te|cel|tia)l|num|(?:pi|ks|pa|isd|efo|oke)n|no|ship|(?:mbe|mme|n|lde|abe)r|(?:onu|tial|ber|no|num|nr)s',
  '(?:len|oun|wor|cre)t|(?:em|tl|v)v|fax|(?:alt|ke)y|[vs]c|k[ _-]?[123]|[vac][vc]2|v2',
  '(?:[defps]|bit|ent)[ _-]?[\\[(#]?0{0,2}(?:2|35|36|45|52|55)[\\])]?|f2[04]|f6b|f1f',
  '(?<![0-9:.,])(?:57|56|99)|5a',
].join('|');
const MARK_OF_KEY = `(?:[:=]|%3[ad])(?<=(?:${TAILS})(?:${QUOTE})?${COLOUR}\\]?[ ]?(?:[:=]|%3[ad]))`;
const ELEMENT = `<[\\w:.-]{1,60}(?<=${TAILS})[ >]`;
export const KEYED_TRIGGER = new RegExp(`${MARK_OF_KEY}|${ELEMENT}`, 'i');

/** Of a value: more than any track; what is longer is cut here and searched like all text. */
const VALUE_CHARS_MAX = 256;
const ESCAPE = '\\x1b';
const PLAIN = new RegExp(`[^\\s,;&"'<>|)\\]}\\\\${ESCAPE}]{1,256}`, 'y');
/** Two blanks, a comma, or the next key end it. */
const WORD = '[^\\s,;&"\'<>|)\\]}\\\\=\\x1b';
const WORDS = new RegExp(`${WORD}]{1,64}(?: ${WORD}:]{1,64}(?![^\\s=:]*[=:])){0,5}`, 'y');
const PAIRS = /[^\s;"'<>\\]{1,256}(?:; ?[^\s;"'<>\\]{1,256}){0,15}/y;
/** To the end of the element, or of the text of JSON that was cut off in it. */
const TEXT_OF_ELEMENT = /[^<\n]{1,256}(?=<)|[^<\n"]{1,256}/y;
const LISTED_MAX = 32;
const NEXT = new RegExp(`(?:${QUOTE})?[ ]?,[ ]?(${QUOTE})?`, 'iy');

/** @param quote as it stood before the value, with its escapes. */
function quotedEnd(text: string, at: number, quote: string): number {
  const last = Math.min(text.length, at + VALUE_CHARS_MAX);
  const depth = quote.length - 1;
  if (quote.startsWith('\\')) {
    // A quote with fewer backslashes ends the text in which this value was cut off.
    for (const { 0: escaped, index } of text.slice(at, last).matchAll(/\\{0,16}["']/g)) {
      if (escaped.endsWith(quote.slice(-1)) && escaped.length - 1 <= depth) return at + index;
    }
  }
  for (let end = text.indexOf(quote, at); end >= 0 && end < last; ) {
    // One more backslash than the quote has: a quote within the value.
    if (text[end - 1] !== '\\' || end === at) return end;
    end = text.indexOf(quote, end + 1);
  }
  const line = text.indexOf('\n', at);
  return line >= 0 && line < last ? line : last;
}

const sticky = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
};

function valueEnd(text: string, at: number, quote: string, between: string, one: Class): number {
  if (quote !== '') return quotedEnd(text, at, quote);
  if (between.endsWith('>') && !between.includes('=>')) return sticky(TEXT_OF_ELEMENT, text, at);
  if (one.pairs === true) return sticky(PAIRS, text, at);
  return sticky(one.words === true ? WORDS : PLAIN, text, at);
}

/** Objects, true, null and what is marked already stay. */
const isKept = (value: string): boolean =>
  value.trim() === '' ||
  /^(?:[[{]|(?:true|false|null|undefined|none)(?![\w-]))/i.test(value) ||
  MARKED.test(value);

/** Whether the quote behind a key without quotes ends the text of JSON that the key stands in. */
const closes = (text: string, start: number, quote: string, between: string): boolean =>
  quote === '"' &&
  /^[:=]/.test(between) &&
  /^(?:, ?["{[]|[}\]])/.test(text.slice(start, start + 3)) &&
  /^\s{0,16}[[{]/.test(text);

/** @returns the value at `start`, if it is one that goes. */
function spanAt(
  text: string,
  start: number,
  quote: string,
  between: string,
  one: Class,
): Span | undefined {
  if (closes(text, start, quote, between)) return undefined;
  const end = valueEnd(text, start, quote, between, one);
  const value = text.slice(start, end);
  if (isKept(value)) return undefined;
  const isFree = quote !== '' && one.quoted === true;
  if (!isFree && !one.fits.test(value)) return undefined;
  return { kind: one.kind, start, end, mark: one.mark };
}

/** The values of a list behind its first. */
function restOfList(text: string, first: Span, one: Class): Span[] {
  const spans: Span[] = [];
  for (let { end } = first; spans.length < LISTED_MAX; ) {
    NEXT.lastIndex = end;
    const next = NEXT.exec(text);
    const span = next === null ? undefined : spanAt(text, NEXT.lastIndex, next[1] ?? '', '', one);
    if (span === undefined) break;
    spans.push(span);
    end = span.end;
  }
  return spans;
}

export function findKeyed(text: string): Span[] {
  const spans: Span[] = [];
  KEYED.lastIndex = 0;
  for (let match = KEYED.exec(text); match !== null; match = KEYED.exec(text)) {
    const which = match.slice(1, 1 + CLASSES.length).findIndex((key) => key !== undefined);
    const one = CLASSES[which];
    const [between = '', quote = ''] = match.slice(1 + CLASSES.length);
    const first = one && spanAt(text, match.index + match[0].length, quote, between, one);
    if (one === undefined || first === undefined) continue;
    spans.push(first);
    if (/\[[ ]?$/.test(between)) spans.push(...restOfList(text, first, one));
    KEYED.lastIndex = Math.max(KEYED.lastIndex, spans.at(-1)?.end ?? 0);
  }
  return spans;
}

const KEY_CHARS_MAX = 64;

/** Of a record that is still an object: what the key says of its value, asked as if both stood in JSON. */
export function keyedMark(key: string, value: string): Span | undefined {
  const head = `"${key}":"`;
  if (key === '' || key.length > KEY_CHARS_MAX || !KEYED_TRIGGER.test(head)) return undefined;
  const quoted = value.slice(0, VALUE_CHARS_MAX / 2).replace(/["\\\n]/g, '_');
  const [span] = findKeyed(`${head}${quoted}"`);
  return span?.start === head.length ? span : undefined;
}
