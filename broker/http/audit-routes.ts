// The audit log over HTTP: pages of it with filters, its signed head, and the whole as lines that prove themselves
// (protocol/audit-export.ts). Reading is for those who act, because it names people; taking all of it is for
// admins, and stands in it.

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Audit } from '../audit.ts';
import { operatorOf } from './auth.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT } from './schema-parts.ts';
import { auditSchemas } from './schemas-audit.ts';
import { readTime, unreadableTime } from './times.ts';

export type AuditRouteOptions = {
  readonly audit: Pick<Audit, 'page' | 'head' | 'exportLines' | 'write'>;
};

type PageQuery = {
  Querystring: {
    operator?: string;
    action?: string;
    subject?: string;
    outcome?: string;
    since?: string;
    until?: string;
    cursor?: string;
    limit?: string;
  };
};

const NO_HEAD = 'the audit log has no signed head yet';

export function addAuditRoutes(app: FastifyInstance, { audit }: AuditRouteOptions): void {
  app.get<PageQuery>(
    '/audit',
    { schema: auditSchemas.page, config: { role: 'oncall' } },
    (request, reply) => {
      const { since, until, cursor, limit, ...words } = request.query;
      const [sinceMs, untilMs] = [readTime(since), readTime(until)];
      if (Number.isNaN(sinceMs)) return sendProblem(reply, 400, unreadableTime('since'));
      if (Number.isNaN(untilMs)) return sendProblem(reply, 400, unreadableTime('until'));
      const before = cursor === undefined ? undefined : Number(cursor);
      const filter = { ...words, sinceMs, untilMs };
      return reply.send(audit.page(filter, before, Number(limit ?? LIMIT_DEFAULT)));
    },
  );
  app.get('/audit/head', { schema: auditSchemas.head, config: { role: 'oncall' } }, (_, reply) =>
    reply.send(audit.head() ?? sendProblem(reply, 404, NO_HEAD)),
  );
  app.get(
    '/audit/export',
    { schema: auditSchemas.export, config: { role: 'admin' } },
    (request, reply) => {
      const entry = { action: 'audit.export', subject: 'audit', reason: '', outcome: 'ok' };
      const detail = { address: request.ip };
      const written = audit.write({ operator: operatorOf(request), ...entry, detail });
      if (!written.ok) return sendProblem(reply, 503, written.reason);
      return reply
        .header('content-type', 'application/x-ndjson; charset=utf-8')
        .send(Readable.from(audit.exportLines(), { objectMode: false, highWaterMark: 1 }));
    },
  );
}
