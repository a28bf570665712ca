// What a component says of itself, without card data, before anybody hears it. Events and the agent's own log have a
// redactor of their own; but a word also goes to the state machine, to files on tmpfs and disk that keep what was
// decided, and to whoever asks for the status on the till, and so it is cleaned once, where it comes in. What tells
// one item from another (ids) and what is asked over HTTP is left as it is: those are kept in memory only.

import { redactString } from '../../redact/index.ts';
import type { Said } from './admission.ts';

const clean = (text: string): string => redactString(text).value;

export function cleanWord(said: Said): Said {
  switch (said.kind) {
    case 'status':
      return { ...said, text: clean(said.text) };
    case 'trouble':
    case 'busy':
      return { ...said, reason: clean(said.reason) };
    case 'begin':
      return { ...said, name: clean(said.name) };
    case 'answer':
      return said.reason === undefined ? said : { ...said, reason: clean(said.reason) };
    case 'evidence': {
      const { reason } = said;
      const stack = said.stack.map(clean);
      return { ...said, stack, ...(reason === undefined ? {} : { reason: clean(reason) }) };
    }
    default:
      return said;
  }
}
