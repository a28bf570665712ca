// What the finders report: a stretch of text and what stands in its place. Apart from the finders, so that
// they do not know each other; text.ts puts their spans together.

/**
 * `code`: a security code; `key`: the value of a key that names card data; `emv`: fields of chips and of
 * ISO 8583; `custom`: by a rule of the operator (rules.ts).
 */
export const KINDS = [
  ...(['pan', 'track', 'code', 'key', 'emv', 'name', 'email', 'phone', 'secret'] as const),
  'custom',
] as const;
export type Kind = (typeof KINDS)[number];

/** `end` is the first character that stays. */
export type Span = {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
  readonly mark: string;
};

export type Finder = {
  readonly name: string;
  /**
   * Cheap, without `g`: true of every line in which `find` can find something. It is asked of many lines at once,
   * each with its `\n`, which it may match. Quick is what begins with a rare character and looks behind from there.
   */
  readonly trigger: RegExp;
  /** Of one line; linear; finds nothing in marks. @returns spans in order, none over another. */
  readonly find: (line: string) => Span[];
};

export type Counts = Readonly<Record<Kind, number>>;
export const NO_COUNTS: Counts = {
  ...{ pan: 0, track: 0, code: 0, key: 0, emv: 0 },
  ...{ name: 0, email: 0, phone: 0, secret: 0, custom: 0 },
};

export const addCounts = (a: Counts, b: Counts): Counts => {
  if (b === NO_COUNTS) return a;
  if (a === NO_COUNTS) return b;
  return Object.fromEntries(KINDS.map((kind) => [kind, a[kind] + b[kind]])) as Counts;
};

/** Names of rules have letters and hyphens only: no number can hide in a mark. */
const MARK =
  '\\[(?:PAN [a-z]+ \\.{4}\\d{4}|TRACK|CODE|EMV|REMOVED|NAME|EMAIL|PHONE|SECRET|CUSTOM [a-z-]{1,32})\\]';
/** What a mark looks like; what is marked already is not counted twice. */
export const MARKED = new RegExp(`^${MARK}`);
export const MARKS = new RegExp(MARK, 'g');

/** A longer line goes on in pieces of about this size; memory stays constant (R8). */
export const LINE_CHARS_MAX = 32 * 1024;
