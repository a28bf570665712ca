// The small language in which an operator says what a text looks like: characters and classes with lengths, one
// after the other, as in `BADGE-[0-9]{6}`. No choice, no group, no unbounded repeat; and what has no fixed
// length must be followed by something that it cannot hold itself. So there is only one way to match, and
// the time is linear whoever wrote the pattern: a JavaScript regular expression could hang a till.

/** Characters of one place: codes below 128, and whether all others are in it too. */
type Class = { readonly codes: ReadonlySet<number>; readonly others: boolean };
type Atom = {
  readonly of: Class;
  readonly min: number;
  readonly max: number;
  /** As it was written. */
  readonly text: string;
};

export type Pattern = {
  /** For one RegExp, without flags; safe because of how it is made. */
  readonly source: string;
  readonly charsMin: number;
  readonly charsMax: number;
};
export type ReadPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly sentence: string };

export const PATTERN_CHARS_MAX = 200;
/** Of what a pattern can take out at once: less than a stream carries over. */
export const MATCH_CHARS_MAX = 256;
/** What is shorter is in every line. */
export const MATCH_CHARS_MIN = 4;

const SPECIAL = '.*+?()|^$';
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const codeOf = (character: string): number => character.charCodeAt(0);
const DIGITS = range(codeOf('0'), codeOf('9'));
const LETTERS = [...range(codeOf('a'), codeOf('z')), ...range(codeOf('A'), codeOf('Z'))];
const NAMED: Readonly<Record<string, readonly number[]>> = {
  d: DIGITS,
  h: [...DIGITS, ...range(codeOf('a'), codeOf('f')), ...range(codeOf('A'), codeOf('F'))],
  w: [...DIGITS, ...LETTERS, codeOf('_')],
};

/** How a person would be told. */
class Wrong extends Error {}

class Reader {
  readonly #text: string;
  readonly #ignoreCase: boolean;
  #at = 0;

  constructor(text: string, ignoreCase: boolean) {
    this.#text = text;
    this.#ignoreCase = ignoreCase;
  }

  atoms(): Atom[] {
    const atoms: Atom[] = [];
    while (this.#at < this.#text.length) {
      const from = this.#at;
      const atom = { of: this.#class(), ...this.#lengths() };
      atoms.push({ ...atom, text: this.#text.slice(from, this.#at) });
    }
    return atoms;
  }

  #next(): string {
    const character = this.#text[this.#at] ?? '';
    const code = character === '' ? FIRST_PRINTABLE : codeOf(character);
    if (code < FIRST_PRINTABLE || code > LAST_PRINTABLE) {
      throw new Wrong(
        `may hold plain ASCII only: "${character}" has other bytes in other encodings`,
      );
    }
    this.#at += 1;
    return character;
  }

  #class(): Class {
    const character = this.#next();
    if (character === '[') return this.#set();
    if (character === '\\') return this.#cased(this.#escaped());
    if (SPECIAL.includes(character) || '{}]'.includes(character)) throw new Wrong(why(character));
    return this.#cased([codeOf(character)]);
  }

  #escaped(): readonly number[] {
    const character = this.#next();
    if (character === '') throw new Wrong('ends with a backslash');
    const named = NAMED[character];
    if (named !== undefined) return named;
    if (/[a-zA-Z0-9]/.test(character)) {
      throw new Wrong(`has \\${character}, which is not known: \\d, \\h and \\w are`);
    }
    return [codeOf(character)];
  }

  #set(): Class {
    const negated = this.#text[this.#at] === '^';
    if (negated) this.#at += 1;
    const codes: number[] = [];
    for (;;) {
      const character = this.#next();
      if (character === '') throw new Wrong('has a [ without its ]');
      if (character === ']') break;
      const from = character === '\\' ? this.#escaped() : [codeOf(character)];
      codes.push(...(this.#rangeFrom(from) ?? from));
    }
    if (codes.length === 0) throw new Wrong('has [] with nothing in it');
    const { codes: these } = this.#cased(codes);
    if (!negated) return { codes: these, others: false };
    const left = range(FIRST_PRINTABLE, LAST_PRINTABLE).filter((code) => !these.has(code));
    return { codes: new Set(left), others: true };
  }

  /** `a-z`, when a hyphen and an end follow. */
  #rangeFrom([from = 0, ...more]: readonly number[]): number[] | undefined {
    const end = this.#text[this.#at + 1];
    if (this.#text[this.#at] !== '-' || end === undefined || end === ']') return undefined;
    this.#at += 1;
    const last = this.#next();
    const [to = 0, ...others] = last === '\\' ? this.#escaped() : [codeOf(last)];
    if (more.length > 0 || others.length > 0 || to < from) {
      throw new Wrong(`has the range ${String.fromCharCode(from)}-${last}, which is none`);
    }
    return range(from, to);
  }

  #cased(codes: readonly number[]): Class {
    if (!this.#ignoreCase) return { codes: new Set(codes), others: false };
    const both = codes.flatMap((code) => {
      const character = String.fromCharCode(code);
      return [codeOf(character.toLowerCase()), codeOf(character.toUpperCase())];
    });
    return { codes: new Set(both), others: false };
  }

  #lengths(): { min: number; max: number } {
    const next = this.#text[this.#at];
    if (next === '*' || next === '+' || next === '?') throw new Wrong(why(next));
    if (next !== '{') return { min: 1, max: 1 };
    const found = /^\{(\d{1,4})(?:,(\d{1,4}))?\}/.exec(this.#text.slice(this.#at));
    if (found === null) throw new Wrong('has a { that is no length: write {6} or {4,12}');
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = Number(found[2] ?? found[1]);
    if (max < min || max === 0) throw new Wrong(`has the length ${found[0]}, which is none`);
    return { min, max };
  }
}

function why(character: string): string {
  switch (character) {
    case '*':
    case '+':
      return `has ${character}, which knows no end: say how many, as in [0-9]{1,20}`;
    case '?':
      return 'has ?: write {0,1}';
    case '.':
      return 'has a bare . which would be any character: write \\. or a class such as [a-z]';
    case '|':
      return 'has |: write one rule for each';
    case '(':
    case ')':
      return `has ${character}: there are no groups; write \\${character} for the character itself`;
    case '^':
    case '$':
      return `has ${character}: a pattern is looked for everywhere; write \\${character} for the character itself`;
    default:
      return `has a bare ${character}: write \\${character} for the character itself`;
  }
}

const overlap = (a: Class, b: Class): boolean =>
  (a.others && b.others) || [...a.codes].some((code) => b.codes.has(code));

/** That there is one way only: how long an atom is shows itself where the next begins. */
function checkOneWay(atoms: readonly Atom[]): void {
  atoms.forEach((atom, index) => {
    if (atom.min === atom.max) return;
    for (const next of atoms.slice(index + 1)) {
      if (overlap(atom.of, next.of)) {
        throw new Wrong(
          `does not show where ${atom.text} ends: ${next.text} after it could belong to it`,
        );
      }
      if (next.min > 0) return;
    }
  });
}

const hex = (code: number): string => `\\x${code.toString(16).padStart(2, '0')}`;

function classSource({ codes, others }: Class): string {
  if (!others)
    return `[${[...codes]
      .sort((a, b) => a - b)
      .map(hex)
      .join('')}]`;
  const left = range(0, 0x7f).filter((code) => !codes.has(code));
  return `[^${left.map(hex).join('')}]`;
}

const sourceOf = ({ of, min, max }: Atom): string => {
  const length = min === max ? (min === 1 ? '' : `{${min}}`) : `{${min},${max}}`;
  return classSource(of) + length;
};

/** Beside a class nothing of it may stand: six digits are not found within twenty. */
function bounded(atoms: readonly Atom[]): string {
  const source = atoms.map(sourceOf).join('');
  const [first] = atoms;
  const last = atoms.at(-1);
  const isClass = (atom: Atom | undefined): atom is Atom =>
    atom !== undefined && atom.of.codes.size > 2;
  const before = isClass(first) ? `(?<!${classSource(first.of)})` : '';
  const after = isClass(last) ? `(?!${classSource(last.of)})` : '';
  return `${before}${source}${after}`;
}

export function readPattern(text: string, ignoreCase = false): ReadPattern {
  try {
    if (text.length > PATTERN_CHARS_MAX) {
      throw new Wrong(`has ${text.length} characters, at most ${PATTERN_CHARS_MAX} are read`);
    }
    const atoms = new Reader(text, ignoreCase).atoms();
    const charsMin = atoms.reduce((sum, { min }) => sum + min, 0);
    const charsMax = atoms.reduce((sum, { max }) => sum + max, 0);
    if (charsMax > MATCH_CHARS_MAX) {
      throw new Wrong(
        `can be ${charsMax} characters long, at most ${MATCH_CHARS_MAX} are possible`,
      );
    }
    if (charsMin < MATCH_CHARS_MIN) {
      throw new Wrong(
        `is found in ${charsMin} characters: it must have at least ${MATCH_CHARS_MIN}, or every line has it`,
      );
    }
    checkOneWay(atoms);
    return { ok: true, pattern: { source: bounded(atoms), charsMin, charsMax } };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { ok: false, sentence: error.message };
  }
}
