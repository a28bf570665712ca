// What the finders report: a stretch of text and what stands in its place. Apart from the finders, so that
// they do not know each other; text.ts puts their spans together.

export const KINDS = ['pan', 'track', 'code', 'key'] as const;
/** `code`: a security code; `key`: the value of a key that names card data. */
export type Kind = (typeof KINDS)[number];

/** `end` is the first character that stays. */
export type Span = {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
  readonly mark: string;
};

export type Counts = Readonly<Record<Kind, number>>;
export const NO_COUNTS: Counts = { pan: 0, track: 0, code: 0, key: 0 };

/** What a mark looks like; what is marked already is not counted twice. */
export const MARKED = /^\[(?:PAN [a-z]+ \.{4}\d{4}|TRACK|CODE|REMOVED)\]/;

/** A longer line goes on in pieces of about this size; memory stays constant (R8). */
export const LINE_CHARS_MAX = 32 * 1024;
