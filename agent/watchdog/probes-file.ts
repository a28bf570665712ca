// Watches a file that a component writes again and again. A till's wall clock jumps, so a file's time is never
// compared with it alone: what counts is that the file changed, seen on the monotonic clock. Only the first look
// has nothing to compare with; there a time that is recent is believed, and any other only begins the wait.

import { codeOf } from '../system/files.ts';
import { type FileFacts, readTail } from '../system/tail.ts';
import type { Answer, Asker, ProbePorts, ProbeSpec } from './probes.ts';

export type FileSpec = Extract<ProbeSpec, { kind: 'file' }>;

const isSame = (a: FileFacts, b: FileFacts): boolean =>
  a.id === b.id && a.bytes === b.bytes && a.modifiedMs === b.modifiedMs;

export function fileAsker({ path, ageMsMax }: FileSpec, { clock }: ProbePorts): Asker {
  let last: FileFacts | undefined;
  let changedAt = clock.monotonicMs();
  /** It was seen to change, or was recent at the first look. */
  let fresh = false;
  let first = true;
  let reading = false;

  function judge(facts: FileFacts | undefined, now: number): Answer {
    const before = last;
    last = facts;
    const isFirst = first;
    first = false;
    if (facts === undefined) return { ok: false, reason: `${path} is missing` };
    if (isFirst) {
      const ageMs = clock.wallMs() - facts.modifiedMs;
      fresh = ageMs >= 0 && ageMs < ageMsMax;
      if (fresh) changedAt = now - ageMs;
    } else if (before === undefined || !isSame(before, facts)) {
      fresh = true;
      changedAt = now;
    }
    if (now - changedAt >= ageMsMax) {
      return { ok: false, reason: `${path} was not written for ${ageMsMax} ms` };
    }
    return fresh ? { ok: true, reason: 'was written' } : { ok: undefined, reason: '' };
  }

  return {
    lateIsOurs: true,
    forgive: () => {
      changedAt = clock.monotonicMs();
    },
    ask: (answer) => {
      if (reading) {
        answer({ ok: undefined, reason: 'the disk does not answer' });
        return () => undefined;
      }
      reading = true;
      void readTail(path)
        .then((tail) => judge(tail?.facts, clock.monotonicMs()))
        .catch((error: unknown): Answer => ({ ok: undefined, reason: codeOf(error) }))
        .then((found) => {
          reading = false;
          answer(found);
        });
      return () => undefined;
    },
  };
}
