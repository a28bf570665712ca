// Bulk actions over HTTP: plan, start, watch, stop; and the notices that all operators are told. Every answer of the API
// carries the number of the newest notice, so that a command line finds out without asking each time.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BulkAnswer, Bulks } from '../bulk/desk.ts';
import type { TargetState } from '../bulk/model.ts';
import type { Notices } from '../bulk/notices.ts';
import type { Selector } from '../bulk/select.ts';
import { operatorOf } from './auth.ts';
import { askerOf, sendRefusal } from './command-routes.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT } from './schemas.ts';
import { bulkSchemas } from './schemas-bulk.ts';

/** A list of bulk actions is read by people. */
const LISTED_DEFAULT = 20;
export const NOTICE_HEADER = 'tillwatch-notice';

export type BulkRouteOptions = {
  /** None where there is nothing to act on. */
  readonly bulks?: Omit<Bulks, 'close' | 'counts'>;
  readonly notices?: Pick<Notices, 'after' | 'newest' | 'onNotice'>;
};

type Id = { Params: { id: string } };
type Said = { reason?: string; operator?: string };
type PlanRequest = {
  Body: Said & {
    kind: string;
    arguments: Record<string, unknown>;
    selector: Selector;
    lastsMs?: number;
  };
};
type StartRequest = Id & { Body: Said & { count: number; confirm?: string } };
type ChangeRequest = Id & { Body: Said };
type TargetsRequest = Id & { Querystring: { state?: TargetState; after?: string; limit?: string } };
type NoticesRequest = { Querystring: { after?: string; limit?: string } };

const NO_BULK = 'there is no such bulk action';

const answerWith = (reply: FastifyReply, answer: BulkAnswer, status: number): FastifyReply =>
  answer.ok ? reply.code(status).send(answer.view) : sendRefusal(reply, answer);

function addActs(app: FastifyInstance, bulks: NonNullable<BulkRouteOptions['bulks']>): void {
  app.post<PlanRequest>(
    '/bulk',
    { schema: bulkSchemas.plan, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator, reason = '', ...plan } = request.body;
      const answer = bulks.plan({ ...plan, reason, actor: askerOf(request, operator) });
      if (answer.ok) reply.header('location', `/api/v1/bulk/${answer.view.id}`);
      return answerWith(reply, answer, 201);
    },
  );
  app.post<StartRequest>(
    '/bulk/:id/start',
    { schema: bulkSchemas.start, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator, reason = '', ...start } = request.body;
      const wish = { ...start, reason, actor: askerOf(request, operator) };
      return answerWith(reply, bulks.start(request.params.id, wish), 202);
    },
  );
  for (const change of ['pause', 'resume', 'abort'] as const) {
    app.post<ChangeRequest>(
      `/bulk/:id/${change}`,
      { schema: bulkSchemas[change], config: { role: 'oncall' } },
      (request: FastifyRequest<ChangeRequest>, reply) => {
        const { operator, reason = '' } = request.body;
        const actor = askerOf(request, operator);
        return answerWith(reply, bulks[change](request.params.id, actor, reason), 202);
      },
    );
  }
}

export function addBulkRoutes(app: FastifyInstance, { bulks, notices }: BulkRouteOptions): void {
  if (bulks !== undefined) {
    addActs(app, bulks);
    app.get<{ Querystring: { limit?: string } }>(
      '/bulk',
      { schema: bulkSchemas.list, config: { role: 'viewer' } },
      ({ query: { limit } }) => ({ bulks: bulks.list(Number(limit ?? LISTED_DEFAULT)) }),
    );
    app.get<Id>(
      '/bulk/:id',
      { schema: bulkSchemas.one, config: { role: 'viewer' } },
      (request, reply) => bulks.get(request.params.id) ?? sendProblem(reply, 404, NO_BULK),
    );
    app.get<TargetsRequest>(
      '/bulk/:id/targets',
      { schema: bulkSchemas.targets, config: { role: 'viewer' } },
      (request, reply) => {
        const { state, after, limit } = request.query;
        const page = { state, after: Number(after ?? 0), limit: Number(limit ?? LIMIT_DEFAULT) };
        return bulks.targets(request.params.id, page) ?? sendProblem(reply, 404, NO_BULK);
      },
    );
  }
  if (notices !== undefined) {
    app.addHook('onSend', (_request, reply, _payload, done) => {
      reply.header(NOTICE_HEADER, notices.newest());
      done();
    });
    app.get<NoticesRequest>(
      '/notices',
      { schema: bulkSchemas.notices, config: { role: 'viewer' } },
      (request) => {
        const { after, limit } = request.query;
        const me = operatorOf(request);
        const found = notices.after(Number(after ?? 0), Number(limit ?? LIMIT_DEFAULT));
        return {
          // Who caused it knows already.
          notices: found.map((notice) => ({ ...notice, mine: notice.operator === me })),
          newest: notices.newest(),
        };
      },
    );
  }
}
