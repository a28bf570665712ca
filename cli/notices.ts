// What all operators must know (somebody restarts half the fleet) is shown before the answer of whatever was asked. The
// broker names its newest notice in each answer, so that nothing more is asked while there is none; which were seen is
// kept beside a person's other state, and a notice is shown once.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { type Client, createClient } from './client.ts';
import type { Operator } from './operator.ts';
import { plural, tame } from './screen.ts';
import { localClock } from './when.ts';

const HEADER = 'tillwatch-notice';
const SHOWN_MAX = 5;
/** Whoever asks a broker for the first time is told of the last hours only. */
const FRESH_MS = 12 * 3_600_000;
const BROKERS_MAX = 100;

const seenSchema = v.record(v.string(), v.pipe(v.number(), v.safeInteger()));
type Seen = v.InferOutput<typeof seenSchema>;
type NoticeView = { readonly timeMs: number; readonly text: string; readonly mine: boolean };
type Page = { readonly notices: readonly (NoticeView & { readonly id: number })[] };

/** As the XDG base directory specification says: a relative path is ignored. */
export function seenFile(env: NodeJS.ProcessEnv): string {
  const given = env['XDG_STATE_HOME'];
  const base =
    given && isAbsolute(given) ? given : join(env['HOME'] || homedir(), '.local', 'state');
  return join(base, 'tillwatch', 'notices.json');
}

function readSeen(path: string): Seen {
  try {
    return v.parse(seenSchema, JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {}; // the first time, or not ours: then they are shown once more
  }
}

/** A home that cannot be written is no reason not to answer. */
function keepSeen(path: string, url: string, id: number): void {
  try {
    const { [url]: _, ...others } = readSeen(path);
    const kept = Object.entries(others).slice(-BROKERS_MAX);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const all = Object.fromEntries([...kept, [url, id]]);
    writeFileSync(path, `${JSON.stringify(all)}\n`, { mode: 0o600 });
  } catch {
    return;
  }
}

/** @param tell where they are shown, apart from the answer. */
export function withNotices(
  operator: Operator,
  env: NodeJS.ProcessEnv,
  tell: (line: string) => unknown,
): Client {
  let newest = 0;
  const client = createClient(operator, undefined, (headers) => {
    newest = Math.max(newest, Number(headers.get(HEADER)) || 0);
  });
  const path = seenFile(env);
  let seen: number | undefined;

  async function show(): Promise<void> {
    if (newest === 0) return;
    const known = seen ?? readSeen(path)[operator.url];
    // More than there are: those were of another database.
    const before = known !== undefined && known > newest ? undefined : known;
    seen = newest;
    if (before === newest) return;
    const after = Math.max(before ?? 0, newest - SHOWN_MAX);
    const reply = await client.get<Page>(`/api/v1/notices?after=${after}`, ['notices']);
    if (!reply.ok) return;
    const hidden = before === undefined ? 0 : after - before;
    if (hidden > 0)
      tell(
        `${plural(hidden, 'earlier notice')} ${hidden === 1 ? 'is' : 'are'} not shown: tillwatch audit`,
      );
    const sinceMs = before === undefined ? Date.now() - FRESH_MS : 0;
    for (const { timeMs, text, mine } of reply.value.notices) {
      if (!mine && timeMs >= sinceMs) tell(`${localClock(timeMs).slice(0, 5)} ${tame(text)}`);
    }
    keepSeen(path, operator.url, newest);
  }
  const first = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer;
    await show();
    return value;
  };
  return {
    url: client.url,
    get: (...question) => first(client.get(...question)),
    post: (...question) => first(client.post(...question)),
    remove: (...question) => first(client.remove(...question)),
    bytes: (...question) => first(client.bytes(...question)),
  };
}
