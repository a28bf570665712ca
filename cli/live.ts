// The broker's stream of events [GET /api/v1/events/live, server-sent events] as an endless list. When the
// line breaks it is asked for again from the last event that was seen, so that nothing is missed and
// nothing is told twice. Not EventSource, which cannot send a token.

import { type EventView, signedOut } from './client.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { Operator } from './operator.ts';
import { ask } from './transport.ts';

/** The broker says something every 15 s at least; after so long it is gone. */
const SILENCE_MS_MAX = 50_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** Of one event, far above what a broker takes. */
const MESSAGE_CHARS_MAX = 4 * 1024 * 1024;

export type LiveItem =
  | { readonly kind: 'event'; readonly event: EventView }
  /** Events were removed for room before they could be told. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'broken' }
  | { readonly kind: 'back' }
  | { readonly kind: 'refused'; readonly exit: ExitCode; readonly sentence: string };

export type Message = { readonly id?: string; readonly event?: string; readonly data?: string };

/** One block of lines of the stream [HTML 9.2.6]. */
export function parseMessage(block: string): Message {
  const fields: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([a-z]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'data' && fields['data'] !== undefined) fields['data'] += `\n${value}`;
    else if (name !== '') fields[name] = value;
  }
  return fields;
}

async function* messagesOf(answer: AsyncIterable<Buffer>, alive: () => void) {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer) {
    alive();
    const blocks = (rest + decoder.decode(chunk, { stream: true }))
      .replaceAll('\r\n', '\n')
      .split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > MESSAGE_CHARS_MAX) throw new Error('an event without an end');
    for (const block of blocks) yield parseMessage(block);
  }
}

const refusal = (exit: ExitCode, sentence: string): LiveItem => ({
  kind: 'refused',
  exit,
  sentence,
});

/** What a status means that will not get better by waiting; undefined when it may. */
function hopeless(status: number, operator: Operator): LiveItem | undefined {
  const { url } = operator;
  if (status === 401 && operator.context !== undefined) {
    return refusal(EXIT.denied, signedOut(operator));
  }
  if (status === 401 || status === 403) {
    return refusal(EXIT.denied, `the broker at ${url} does not accept the token any more`);
  }
  if (status === 404) {
    return refusal(EXIT.failed, `the broker at ${url} is too old to be followed`);
  }
  return undefined;
}

export type LiveOptions = {
  readonly operator: Operator;
  /** Filters, as the API names them. */
  readonly query: URLSearchParams;
  /** The last event that was seen. */
  readonly after: number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** Ends only with a refusal; until then it comes back to a broker that went away. */
export async function* liveEvents(options: LiveOptions): AsyncGenerator<LiveItem> {
  const { operator, query, sleep } = options;
  let place: string | undefined = String(options.after);
  let waitMs = RETRY_MS_MIN;
  let broken = false;
  for (;;) {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(operator.token === undefined ? {} : { authorization: `Bearer ${operator.token}` }),
        ...(place === undefined ? {} : { 'last-event-id': place }),
      };
      const url = `${operator.url}/api/v1/events/live?${query}`;
      const { authority } = operator;
      const { signal } = silence;
      const answer = await ask({ url, method: 'GET', headers, authority, signal });
      const status = answer.statusCode ?? 0;
      if (status !== 200) answer.resume();
      const end = hopeless(status, operator);
      if (end !== undefined) {
        yield end;
        return;
      }
      // Our place is beyond its newest: the broker began anew, and so do we.
      if (status === 400) place = undefined;
      if (status === 200) {
        if (broken) yield { kind: 'back' };
        broken = false;
        for await (const { id, event, data } of messagesOf(answer, () => timer.refresh())) {
          waitMs = RETRY_MS_MIN;
          if (event === 'gap') yield { kind: 'gap' };
          else if (data !== undefined)
            yield { kind: 'event', event: JSON.parse(data) as EventView };
          if (id !== undefined) place = id;
        }
      }
    } catch {
      // It went away, in the middle or before; what it has not told is asked for again.
    } finally {
      clearTimeout(timer);
    }
    if (!broken) yield { kind: 'broken' };
    broken = true;
    await sleep(waitMs);
    waitMs = Math.min(RETRY_MS_MAX, waitMs * 2);
  }
}
