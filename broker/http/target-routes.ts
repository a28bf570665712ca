// Target versions over HTTP: what is set and how many run it, who is behind, and setting and clearing, each of which can
// be asked for as a plan first.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Done, Targets } from '../targets/desk.ts';
import type { TargetClear, TargetWish } from '../targets/wish.ts';
import { askerOf, sendRefusal } from './command-routes.ts';
import { LIMIT_DEFAULT } from './schema-parts.ts';
import { targetSchemas } from './schemas-targets.ts';

export type TargetRouteOptions = {
  /** None: there are no such routes. */
  readonly targets?: Omit<Targets, 'close'>;
};

type Said = { reason?: string; operator?: string; digest?: string };
type SetRequest = { Body: Omit<TargetWish, 'values'> & { values?: readonly string[] } & Said };
/** As one text: ids have no commas. */
type ClearRequest = { Querystring: Omit<TargetClear, 'values'> & { values?: string } & Said };
type BehindRequest = { Querystring: { component?: string; limit?: string } };

const answer = (reply: FastifyReply, done: Done, status: number): FastifyReply =>
  done.ok ? reply.code(status).send(done.plan) : sendRefusal(reply, done);

const saidBy = (request: FastifyRequest<{ Body: Said }>) => {
  const { operator, reason = '', digest } = request.body;
  return { actor: askerOf(request, operator), reason, digest };
};

export function addTargetRoutes(app: FastifyInstance, { targets }: TargetRouteOptions): void {
  if (targets === undefined) return;
  app.get('/targets', { schema: targetSchemas.list, config: { role: 'viewer' } }, () => ({
    targets: targets.list(),
    digest: targets.digest(),
  }));
  app.get<BehindRequest>(
    '/targets/behind',
    { schema: targetSchemas.behind, config: { role: 'viewer' } },
    ({ query: { component, limit } }) => {
      const most = Number(limit ?? LIMIT_DEFAULT);
      const behind = targets.behind({ silent: false, component });
      const silent = targets.behind({ silent: true, component });
      const totals = { total: behind.length, silentTotal: silent.length };
      return { behind: behind.slice(0, most), silent: silent.slice(0, most), ...totals };
    },
  );
  app.post<SetRequest>(
    '/targets/plan',
    { schema: targetSchemas.plan, config: { role: 'admin' } },
    (request, reply) => {
      const { values = [], ...wish } = request.body;
      return answer(reply, targets.plan({ ...wish, values }), 200);
    },
  );
  app.post<SetRequest>(
    '/targets',
    { schema: targetSchemas.set, config: { role: 'admin' } },
    (request, reply) => {
      const { component, version, role, rank, values = [] } = request.body;
      const done = targets.set({ component, version, role, rank, values }, saidBy(request));
      return answer(reply, done, 202);
    },
  );
  app.delete<ClearRequest>(
    '/targets',
    { schema: targetSchemas.clear, config: { role: 'admin' } },
    (request, reply) => {
      const { component, rank, values: text, reason = '', operator, digest } = request.query;
      const values = text === undefined || text === '' ? [] : text.split(',');
      const said = { actor: askerOf(request, operator), reason, digest };
      return answer(reply, targets.clear({ component, rank, values }, said), 202);
    },
  );
}
