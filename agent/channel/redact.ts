// The redactor as winston formats, for the agent and for every component written in JavaScript: card data
// goes before a byte reaches a file, because a file that holds a track is the violation itself (PCI DSS
// 3.3.1; research/pos.md 3). Two of them: one while the record is still an object, where keys are
// known and JSON stays JSON, and one over the finished line, for what only appears when it is written.

import { format } from 'winston';
import { type Counts, NO_COUNTS, redactFields, redactString } from '../../redact/index.ts';

export type Found = (counts: Counts) => void;

/** Where winston keeps the finished line [triple-beam]. */
const MESSAGE = Symbol.for('message');
const unheard: Found = () => undefined;

/** Goes before every other format but those that turn errors into text. */
export const redactRecord = (found: Found = unheard) =>
  format((info) => {
    // The level is winston's own word, and its symbols are not enumerated.
    const { level, ...fields } = info;
    const { value, counts } = redactFields(fields);
    if (counts !== NO_COUNTS) found(counts);
    return Object.assign(info, value, { level });
  })();

/** Goes last. */
export const redactLine = (found: Found = unheard) =>
  format((info) => {
    const line = info[MESSAGE];
    if (typeof line !== 'string') return info;
    const { value, counts } = redactString(line);
    if (counts !== NO_COUNTS) found(counts);
    return Object.assign(info, { [MESSAGE]: value });
  })();
