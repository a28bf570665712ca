// What has arrived, over HTTP. The text is streamed from its file and may be read while it still grows: `offset` goes on
// where the last answer ended. With a filter, or as JSON lines, it is read record by record. A diagnosis is one
// document, and is there when it is whole.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { LogLevel } from '../../protocol/catalogue.ts';
import { wrongWords } from '../logs/asking.ts';
import { type Filter, readContent, searchAll } from '../logs/content.ts';
import { readPattern } from '../logs/patterns.ts';
import type { LogView } from '../logs/view.ts';
import { readDiagnosis } from './diagnosis.ts';
import type { LogRouteOptions } from './log-routes.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT } from './schemas.ts';
import { logSchemas } from './schemas-logs.ts';

/** Searches over everything at one time; they read files that terminals are answered from. */
const SEARCHES_MAX = 2;

type Query = {
  readonly offset?: string;
  readonly format?: 'text' | 'jsonl';
  readonly level?: LogLevel;
  readonly component?: string;
  readonly text?: string;
  readonly pattern?: string;
};
type Content = { Params: { id: string }; Querystring: Query };
type Search = {
  Querystring: { text: string; terminal?: string; sinceMs?: string; limit?: string };
};

const UNKNOWN = 'there is no such request for logs';
const NOT_WHOLE = 'the diagnosis is not here yet: ask again when its state is complete';
const BOTH = 'offset: it counts bytes of the whole text, and cannot be said with a filter or jsonl';
const ONE_DOCUMENT = 'a diagnosis is one document: it has no records to choose from';
const BUSY = `${SEARCHES_MAX} searches are under way: try again in a moment`;
const ONCALL = { role: 'oncall' } as const;

type Shelf = LogRouteOptions['logs'];

async function sendDiagnosis(reply: FastifyReply, logs: Shelf, view: LogView) {
  if (!view.complete) return sendProblem(reply, 409, NOT_WHOLE);
  const document = await readDiagnosis(logs.read(view.id, 0, view.bytes));
  if (!document.ok) return sendProblem(reply, 422, document.reason);
  return reply.type('application/json; charset=utf-8').send(document.value);
}

function sendBytes(reply: FastifyReply, logs: Shelf, { id, bytes }: LogView, offset: number) {
  if (offset > bytes) return sendProblem(reply, 416, `only ${bytes} bytes have arrived`);
  const body = offset === bytes ? Readable.from([]) : logs.read(id, offset, bytes);
  return reply
    .header('content-type', 'text/plain; charset=utf-8')
    .header('content-length', bytes - offset)
    .send(body);
}

/** What records have to have; undefined: all are wanted. */
async function readFilter({ level, component, text, pattern }: Query) {
  const read = pattern === undefined ? undefined : await readPattern(pattern);
  if (read?.ok === false) return { ok: false, reason: read.reason } as const;
  const filter: Filter = { level, component, text, finds: read?.value };
  const isNone = Object.values(filter).every((value) => value === undefined);
  return { ok: true, filter: isNone ? undefined : filter } as const;
}

function addContent(app: FastifyInstance, { logs, nowMs }: LogRouteOptions): void {
  app.get<Content>(
    '/logs/:id/content',
    { schema: logSchemas.content, config: ONCALL },
    async (request, reply) => {
      const { offset, format = 'text' } = request.query;
      const wanted = await readFilter(request.query);
      if (!wanted.ok) return sendProblem(reply, 422, wanted.reason);
      const view = logs.get(request.params.id);
      if (view === undefined) return sendProblem(reply, 404, UNKNOWN);
      if (view.goneMs !== undefined) return sendProblem(reply, 410, view.error);
      reply.header('x-content-type-options', 'nosniff');
      const isWhole = wanted.filter === undefined && format === 'text';
      if (view.what === 'diagnosis') {
        if (!isWhole) return sendProblem(reply, 422, ONE_DOCUMENT);
        return await sendDiagnosis(reply, logs, view);
      }
      if (isWhole) return sendBytes(reply, logs, view, Number(offset ?? 0));
      if (offset !== undefined) return sendProblem(reply, 422, BOTH);
      const type = format === 'text' ? 'text/plain' : 'application/x-ndjson';
      const body = readContent(logs, view, wanted.filter ?? {}, format, nowMs);
      return reply.header('content-type', `${type}; charset=utf-8`).send(body);
    },
  );
}

export function addLogContentRoutes(app: FastifyInstance, options: LogRouteOptions): void {
  const { logs, nowMs } = options;
  addContent(app, options);
  let searches = 0;
  app.get<Search>(
    '/logs/search',
    { schema: logSchemas.search, config: ONCALL },
    async (request, reply) => {
      const { text, terminal, sinceMs, limit = LIMIT_DEFAULT } = request.query;
      const wrong = wrongWords({ text });
      if (wrong !== undefined) return sendProblem(reply, 422, wrong);
      if (searches >= SEARCHES_MAX) return sendProblem(reply, 503, BUSY);
      searches += 1;
      try {
        const views = logs.list({ terminal, limit: Number.POSITIVE_INFINITY });
        const since = sinceMs === undefined ? undefined : Number(sinceMs);
        return await searchAll(logs, views, { text, sinceMs: since, limit: Number(limit) }, nowMs);
      } finally {
        searches -= 1;
      }
    },
  );
}
