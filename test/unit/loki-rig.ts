// What tests of forwarding to Loki share: an answer of a terminal, its records, and a push without a socket.

import { entryOf, type Origin } from '../../broker/sinks/loki-entries.ts';
import { createPush } from '../../broker/sinks/loki-push.ts';
import type { HttpAnswer, HttpClient } from '../../broker/sinks/post.ts';
import type { LogRecord } from '../../protocol/log-lines.ts';
import { createStandIn } from '../long/loki-standin.ts';
import { START_MS } from './fleet-rig.ts';

export const REQUEST = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
export const ORIGIN: Origin = {
  ...{ request: REQUEST, terminal: 'lane-1', store: 'berlin', source: 'pull' },
  anchorMs: START_MS,
};
export const record = (more: Partial<LogRecord> = {}): LogRecord => ({
  ...{ timeMs: START_MS - 1_000, guessed: false, level: 'warn', component: 'sale' },
  ...{ text: 'no paper', ...more },
});
export const entry = (offset: number, more: Partial<LogRecord> = {}) =>
  entryOf(ORIGIN, record(more), offset);
export const MINUTE_MS = 60_000;
const URL = 'http://loki:3100/loki/api/v1/push';

/** A push to a stand-in, without a socket. */
export function loki(more: Partial<Parameters<typeof createStandIn>[0]> = {}, tenant?: string) {
  const requests: string[] = [];
  const standIn = createStandIn({ nowMs: () => START_MS, ...more });
  const says: { answer: HttpAnswer | undefined } = { answer: undefined };
  const client: Pick<HttpClient, 'post'> = {
    post: (url, bytes, headers) => {
      const { pathname } = new globalThis.URL(url);
      const reply = () => standIn.push(pathname, headers, Buffer.from(bytes));
      return Promise.resolve(says.answer ?? { ok: true, ...reply() });
    },
  };
  const onRequest = (result: string): number => requests.push(result);
  return { ...createPush({ url: URL, tenant, client, onRequest }), standIn, requests, says };
}
