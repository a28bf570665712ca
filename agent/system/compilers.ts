// V8's optimising compilers are off in an agent that rests: they are 10 MB of it (deploy/tillwatch-agent). Matching a
// chatty component's output against an operator's pattern is ten times slower without them, so whoever has such work
// turns them on, for good: what they have compiled stays. Node warns that most of V8's settings must not change in a
// running program; these two are only asked when a function has become hot.

import { setFlagsFromString } from 'node:v8';

export function optimiseFromNow(): void {
  setFlagsFromString('--maglev');
  setFlagsFromString('--opt');
}
