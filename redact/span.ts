// What the finders report: a stretch of text and what stands in its place; and what a finder is. Apart from
// the finders, so that they do not know each other; finders.ts says which there are, and text.ts puts their
// spans together.

export const KINDS = [
  ...(['pan', 'track', 'code', 'key', 'emv'] as const),
  ...(['name', 'email', 'phone', 'secret', 'custom'] as const),
] as const;
/** `code`: a security code; `key`: the value of a key that names card data; `custom`: an operator's rule. */
export type Kind = (typeof KINDS)[number];

/** `end` is the first character that stays. */
export type Span = {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
  readonly mark: string;
};

/**
 * Both take time that is linear in the text. `mayHave` is cheap, and wrong only in saying yes; `find` answers
 * spans in order, none over another, and reaches over no more than CARRY_CHARS to either side.
 */
export type Finder = {
  readonly mayHave: (text: string) => boolean;
  readonly find: (text: string) => readonly Span[];
};

export type Counts = Readonly<Record<Kind, number>>;
export const NO_COUNTS: Counts = {
  ...{ pan: 0, track: 0, code: 0, key: 0, emv: 0 },
  ...{ name: 0, email: 0, phone: 0, secret: 0, custom: 0 },
};

/** What a mark looks like; what is marked already is not counted twice. */
export const MARKED =
  /^\[(?:PAN [a-z]+ \.{4}\d{4}|TRACK|CODE|EMV|REMOVED|NAME|EMAIL|PHONE|SECRET|CUSTOM [\w-]+)\]/;

/** A longer line goes on in pieces of about this size; memory stays constant (R8). */
export const LINE_CHARS_MAX = 32 * 1024;
