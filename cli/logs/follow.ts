// Follows requests for logs to their end: hands on what has arrived, says how far the terminal is while nothing does, and
// ends a live tail when whoever watches has seen enough.

import type { LogRequestView } from '../client.ts';
import type { Context } from '../context.ts';
import { EXIT, ended, type Outcome } from '../exit.ts';
import { plural, tame } from '../screen.ts';
import { localClock, localDay, localStamp } from '../when.ts';
import type { Zone } from '../zone.ts';
import type { LogsOptions } from './options.ts';
import type { Sink } from './sink.ts';

const POLL_MS = 150;
/** Said once when nothing has come for so long. */
const PATIENCE_MS = 1_500;
const ENOUGH = 'whoever watched has seen enough';

export type Followed = { readonly id: string; readonly sink: Sink };

export const sizeWords = (bytes: number): string =>
  bytes < 100_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

const waitingNote = ({ id, terminal, expiresMs }: LogRequestView, zone: Zone): string =>
  `${terminal} is not connected: it answers when it is back, until ${localDay(expiresMs, zone)} ` +
  `${localClock(expiresMs, zone).slice(0, 5)}; see it later with "tillwatch logs --request ${id}"`;

/** `searching, 120 of 512 MB`, or how much has come. */
export function progressWords(view: LogRequestView): string {
  const { terminal, state, bytes, lines, searchedBytes = 0, searchBytes = 0 } = view;
  const isSearching = state === 'running' && searchBytes > searchedBytes;
  const [done, all] = [searchedBytes, searchBytes].map((size) => sizeWords(size));
  const what = isSearching ? `searching, ${done} of ${all}` : state;
  return `${terminal}: ${what}; ${plural(lines, 'record')}, ${sizeWords(bytes)}`;
}

/** What a person should know of an answer that has ended. */
export function endNotes(view: LogRequestView, zone: Zone): string[] {
  const notes: string[] = [];
  const { truncated, cutBy, bytesMax, fromMs, dropped = 0, missed = 0 } = view;
  if (truncated && (cutBy ?? 'bytes') === 'bytes') {
    notes.push(
      `the window holds more than ${sizeWords(bytesMax)}: what is before ` +
        `${localStamp(fromMs, zone)} is missing; ask with --until for that, or for more with --max-bytes`,
    );
  }
  if (cutBy === 'time') {
    notes.push('the search took too long and was ended: narrow the window, or give --search-for');
  }
  if (cutBy === 'behind') {
    notes.push('it prints faster than is taken in: the newest records are missing; ask again');
  }
  if (dropped > 0) notes.push(`${plural(dropped, 'record')} did not fit the line and are left out`);
  if (missed > 0) {
    const values = plural(missed, 'value');
    notes.push(`${values} of card data lay in the terminal's journal unmasked: tell your security`);
  }
  return notes;
}

type Told = { shownBytes: number; isTold: boolean };

/** @returns the view when it is over, nothing while it is not, or how the verb ends. */
async function look(
  context: Context,
  { id, sink }: Followed,
  told: Told,
  { note, progress, zone, patient }: LookOptions,
): Promise<LogRequestView | Outcome | undefined> {
  const reply = await context.client.get<LogRequestView>(`/api/v1/logs/${id}`);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const view = reply.value;
  if (view.bytes > told.shownBytes) {
    const content = await context.client.bytes(
      `/api/v1/logs/${id}/content?offset=${told.shownBytes}`,
    );
    if (!content.ok) return ended(content.exit, content.sentence);
    progress('');
    const wrong = sink.take(content.value);
    if (wrong !== undefined) return ended(EXIT.failed, wrong);
    told.shownBytes += content.value.length;
  }
  const isOpen = view.state === 'waiting' || view.state === 'running';
  if (!isOpen && told.shownBytes >= view.bytes) return view;
  if (view.state === 'waiting' && !view.connected && !patient && !told.isTold) {
    told.isTold = true;
    note(waitingNote(view, zone));
  }
  progress(progressWords(view));
  return undefined;
}

type LookOptions = Pick<LogsOptions, 'note' | 'progress'> & {
  readonly zone: Zone;
  readonly patient: boolean;
};

/** @returns their views in the same order when all are over, or how the verb ends. */
export async function followAll(
  context: Context,
  followed: readonly Followed[],
  { note, progress, zone, enough }: LogsOptions & { readonly zone: Zone },
): Promise<readonly LogRequestView[] | Outcome> {
  const startedMs = context.nowMs();
  const told = followed.map(() => ({ shownBytes: 0, isTold: false }));
  const views: (LogRequestView | undefined)[] = followed.map(() => undefined);
  let isEnding = false;
  for (;;) {
    const patient = context.nowMs() - startedMs <= PATIENCE_MS;
    if (enough?.aborted && !isEnding) {
      isEnding = true;
      for (const { id } of followed) {
        await context.client.post(`/api/v1/logs/${id}/cancel`, { reason: ENOUGH });
      }
    }
    for (const [at, one] of followed.entries()) {
      const state = told[at];
      if (views[at] !== undefined || state === undefined) continue;
      const seen = await look(context, one, state, { note, progress, zone, patient });
      if (seen !== undefined && 'exit' in seen) return seen;
      views[at] = seen;
    }
    const over = views.filter((view) => view !== undefined);
    if (over.length === followed.length) return over;
    await context.sleep(POLL_MS);
  }
}

/** How the verb ends by what became of a request. */
export function outcomeOf(view: LogRequestView): Outcome | undefined {
  const isEnough = view.what === 'tail' && view.state === 'cancelled';
  if (view.state === 'complete' || isEnough) return undefined;
  const why = view.error === '' ? '' : `: ${tame(view.error)}`;
  return ended(EXIT.failed, `the request for logs of ${view.terminal} ${view.state}${why}`);
}
