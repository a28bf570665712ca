// The redactor: takes card data out of texts, byte streams and log records. A folder that depends on nothing,
// so that it can be a package of its own. Pure and linear in time; a second pass over its own output changes
// nothing. The rules are numbered in research/pos.md section 9.

export { type Counted, redactFields, redactString } from './fields.ts';
export { type Counts, KINDS, type Kind, LINE_CHARS_MAX, NO_COUNTS } from './span.ts';
export { addCounts, openRedactStream, REDACTOR, type RedactStream } from './stream.ts';
