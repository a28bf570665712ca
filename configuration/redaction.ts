// The key `redaction`: the operator's own rules of what else goes before anything is kept or sent. The redactor
// reads them itself (redact/rules.ts), strictly and with all problems at once; here its paths become paths of
// the configuration, so that each is told with its line.

import * as v from 'valibot';
import { NO_RULES, type Rules, readRules } from '../redact/index.ts';
import { strict } from './words.ts';

const UNKNOWN: Omit<v.UnknownPathItem, 'key'> = {
  ...{ type: 'unknown', origin: 'value' },
  ...{ input: undefined, value: undefined },
};

/** `[0].keys[1]` as the steps of a path. */
export const stepsOf = (path: string): (string | number)[] =>
  [...path.matchAll(/\[(\d+)\]|\.([^.[\]]+)/g)].map(({ 1: index, 2: key = '' }) =>
    index === undefined ? key : Number(index),
  );

function pathOf(path: string): [v.IssuePathItem, ...v.IssuePathItem[]] | undefined {
  const [first, ...others] = stepsOf(path).map((key): v.IssuePathItem => ({ ...UNKNOWN, key }));
  return first === undefined ? undefined : [first, ...others];
}

const rules = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset, addIssue, NEVER }): Rules => {
    const read = readRules(dataset.value);
    if (read.ok) return read.rules;
    for (const { path, sentence } of read.problems) {
      const steps = pathOf(path);
      addIssue(steps === undefined ? { message: sentence } : { message: sentence, path: steps });
    }
    return NEVER;
  }),
);

export const redactionEntry = v.optional(
  v.pipe(
    strict({ rules: v.optional(rules, []) }),
    v.transform((value) => ({ rules: value.rules ?? NO_RULES })),
  ),
  {},
);
