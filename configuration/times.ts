// How the numbers of one component fit together: no least above its most, no lost beat that is a hang, and no exit code
// that means two things. What one number alone may be stands in component.ts; told as config.ts tells
// relations, each with its path and a sentence.

import type { ComponentConfig } from './config.ts';
import type { Misfit } from './external.ts';

function exitMisfits({ exit }: ComponentConfig): Misfit[] {
  const { success, permanent, remote } = exit;
  const meanings = Object.entries({ success, permanent, remote });
  return meanings.flatMap(([key, codes], nth) =>
    codes.flatMap((code, index) => {
      const first = meanings.slice(0, nth).find(([, others]) => others.includes(code));
      const sentence = `${code} is among ${first?.[0]} already: it can mean one thing only`;
      return first === undefined ? [] : [{ path: ['exit', key, index], sentence }];
    }),
  );
}

export function timesOf(component: ComponentConfig): readonly Misfit[] {
  const { beatMs, hang, start, stop, backoff, limits } = component;
  const found: Misfit[] = [];
  const say = (path: Misfit['path'], sentence: string) => found.push({ path, sentence });
  if (stop.graceMs > stop.graceMsMax) {
    say(['stop', 'graceMs'], `must not be more than graceMsMax (${stop.graceMsMax})`);
  }
  if (limits.k > limits.n) say(['limits', 'k'], `must not be more than n (${limits.n})`);
  if (hang.blockedMs < 3 * beatMs) {
    const sentence = `must be at least three beats (beatMs is ${beatMs}): a lost beat is no hang`;
    say(['hang', 'blockedMs'], sentence);
  }
  if (hang.spinningMs < hang.blockedMs) {
    const sentence = `must not be less than blockedMs (${hang.blockedMs}): a busy thread is the weaker sign`;
    say(['hang', 'spinningMs'], sentence);
  }
  if (start.timeoutMs > start.timeoutMsMax) {
    say(['start', 'timeoutMs'], `must not be more than timeoutMsMax (${start.timeoutMsMax})`);
  }
  if (backoff.minMs > backoff.maxMs) {
    say(['backoff', 'minMs'], `must not be more than maxMs (${backoff.maxMs})`);
  }
  return [...found, ...exitMisfits(component)];
}
