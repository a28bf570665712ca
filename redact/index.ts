// The redactor: takes card data out of texts, byte streams and log records. A folder that depends on nothing,
// so that it can be a package of its own. Linear in time; a second pass over its own output changes nothing.
// The rules are numbered in research/pos.md section 9.

export { isStamp, stamp, useRules } from './active.ts';
export { type Counted, redactFields, redactString } from './fields.ts';
export { NO_RULES, type ReadRules, type RuleProblem, type Rules, readRules } from './rules.ts';
export {
  addCounts,
  type Counts,
  KINDS,
  type Kind,
  LINE_CHARS_MAX,
  MARKS,
  NO_COUNTS,
} from './span.ts';
export { openRedactStream, type RedactStream } from './stream.ts';
