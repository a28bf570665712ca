// Pushes entries until each of them is taken or known to be never taken. A request that is refused is split by what its
// answer says, or in halves, down to the one entry that is bad; the rest is sent again, which adds nothing. An entry
// that is too far behind its stream is no loss: it goes into a stream of its request alone.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { alone, bodyOf, type Entry, isAlone, streamOf } from './loki-entries.ts';
import { judgePush, type LokiVerdict } from './loki-verdict.ts';
import type { HttpClient } from './post.ts';
import type { Buried, SendResult } from './types.ts';
import { shownUrl } from './words.ts';

const pack = promisify(gzip);
/** Requests for one batch at most: what is left of it then is bad as well, or nothing is, and a person has to look. */
const REQUESTS_MAX = 500;
const SAMPLE_CHARS = 120;
/**
 * Who refuses everything from the beginning and gives no reason that lies in a line is set up wrongly, more likely
 * than not: so often (an hour, with the pauses between) the same is sent again before it is given up.
 */
export const DOUBTS_MAX = 60;

export type PushOptions = {
  readonly url: string;
  readonly tenant?: string | undefined;
  readonly client: Pick<HttpClient, 'post'>;
  readonly onRequest: (result: string) => void;
};

type Again = Extract<SendResult, { kind: 'again' }>;
type Bad = Extract<LokiVerdict, { kind: 'bad' }>;

const msOf = ({ ns }: Entry): number => Number(ns.slice(0, -6));

/** Which of them the answer means, if it says so: all of their stream or of everybody that are older. */
function meant(entries: readonly Entry[], { oldestMs, reason }: Bad) {
  if (oldestMs === undefined) return undefined;
  const old = entries.filter((entry) => msOf(entry) < oldestMs);
  const streams = new Set(old.map(streamOf));
  // "Too far behind" is said of one stream, and not of which.
  if (old.length === 0 || (reason === 'too_far_behind' && streams.size > 1)) return undefined;
  const isOld = new Set(old);
  return { old, others: entries.filter((entry) => !isOld.has(entry)) };
}

export function createPush({ url, tenant, client, onRequest }: PushOptions) {
  const where = shownUrl(url);
  const headers = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
  };

  async function once(entries: readonly Entry[]): Promise<LokiVerdict> {
    const answer = await client.post(url, await pack(bodyOf(entries)), headers);
    const verdict: LokiVerdict = answer.ok
      ? judgePush(answer, where)
      : { kind: 'again', result: 'unavailable', sentence: `${where}: ${answer.reason}` };
    const { kind } = verdict;
    onRequest(kind === 'taken' ? 'ok' : kind === 'bad' ? 'refused' : verdict.result);
    return verdict;
  }

  let hasTaken = false;
  let doubts = 0;
  const isDoubtful = ({ reason }: Bad): boolean => {
    if (hasTaken || (reason !== 'refused' && reason !== 'invalid')) return false;
    doubts += 1;
    return doubts <= DOUBTS_MAX;
  };

  /** @param entries in any order; none is left undecided but by `again`. */
  async function send(entries: readonly Entry[]): Promise<SendResult> {
    const open: (readonly Entry[])[] = [entries];
    const buried: Buried[] = [];
    let items = 0;
    const giveUp = (bad: readonly Entry[], { reason, sentence }: Bad): void => {
      const behind = reason === 'too_far_behind' ? bad.filter((entry) => !isAlone(entry)) : [];
      if (behind.length > 0) open.push(behind.map(alone));
      const lost = bad.filter((entry) => !behind.includes(entry));
      const [first] = lost;
      if (first === undefined) return;
      const terminal = first.labels['terminal'] ?? '';
      const sample = first.line.slice(0, SAMPLE_CHARS);
      buried.push({ terminal, reason, sentence, count: lost.length, sample });
    };
    for (let requests = 0; open.length > 0; requests += 1) {
      const some = open.pop() ?? [];
      if (some.length === 0) continue;
      const verdict = await once(some);
      if (verdict.kind === 'again') return againOf(verdict);
      if (verdict.kind === 'taken') {
        items += some.length;
        hasTaken = true;
        continue;
      }
      const told = meant(some, verdict);
      if (told !== undefined) {
        giveUp(told.old, verdict);
        open.push(told.others);
      } else if (some.length === 1) {
        if (isDoubtful(verdict)) return { kind: 'again', reason: verdict.sentence };
        giveUp(some, verdict);
      } else if (requests >= REQUESTS_MAX) {
        // Refused one and all, it is more likely a setting than a thousand bad lines.
        if (items === 0) return { kind: 'again', reason: verdict.sentence };
        giveUp(some, verdict);
      } else {
        const middle = Math.ceil(some.length / 2);
        open.push(some.slice(middle), some.slice(0, middle));
      }
    }
    return { kind: 'taken', items, buried };
  }

  return { send };
}

const againOf = ({ sentence, afterMs }: Extract<LokiVerdict, { kind: 'again' }>): Again => ({
  kind: 'again',
  reason: sentence,
  ...(afterMs !== undefined && { afterMs }),
});
