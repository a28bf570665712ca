// The configuration of the fleet over HTTP: what there is and who runs it, planning a version with its difference, starting
// it, going back. A text may hold what a chain would rather not show everybody who looks at dashboards, so reading one
// needs the role oncall.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { CONFIGURATION_BYTES_MAX } from '../../protocol/limits.ts';
import type { Selector } from '../bulk/select.ts';
import type { Configurations } from '../configurations/configurations.ts';
import type { Answer } from '../configurations/desk.ts';
import { askerOf, sendRefusal } from './command-routes.ts';
import { sendProblem } from './problem.ts';
import { configurationSchemas as schemas } from './schemas-configurations.ts';

export type ConfigurationRouteOptions = {
  /** None: there are no such routes. */
  readonly configurations?: Omit<Configurations, 'close' | 'figures' | 'standing'>;
};

type Name = { Params: { name: string } };
type Numbered = { Params: { name: string; version: string } };
type Said = { reason?: string; operator?: string };
type PlanRequest = Name & {
  Body: Said & { text: string; selector?: Selector; readyMs?: number; lastsMs?: number };
};
type RollbackRequest = Name & { Body: Said & { to?: number } };
type StartRequest = Numbered & { Body: Said & { count: number; confirm?: string } };
type RemoveRequest = Name & { Body: Said & { version?: number } };

/** As JSON a text grows: each line end is two characters, each control character six. */
const PLAN_BYTES_MAX = 4 * CONFIGURATION_BYTES_MAX;
const NOT_THERE = 'there is no such configuration';

const send = (reply: FastifyReply, answer: Answer<unknown>, status: number): FastifyReply =>
  answer.ok ? reply.code(status).send(answer.view) : sendRefusal(reply, answer);

function addActs(
  app: FastifyInstance,
  configurations: NonNullable<ConfigurationRouteOptions['configurations']>,
): void {
  app.post<PlanRequest>(
    '/configurations/:name/plan',
    { schema: schemas.plan, config: { role: 'admin' }, bodyLimit: PLAN_BYTES_MAX },
    async (request, reply) => {
      const { operator, reason = '', ...wish } = request.body;
      const asked = { ...wish, ...request.params, reason, actor: askerOf(request, operator) };
      return send(reply, await configurations.plan(asked), 201);
    },
  );
  app.post<RollbackRequest>(
    '/configurations/:name/rollback',
    { schema: schemas.rollback, config: { role: 'admin' } },
    async (request, reply) => {
      const { operator, reason = '', to } = request.body;
      const wish = { reason, actor: askerOf(request, operator) };
      return send(reply, await configurations.rollback(request.params.name, to, wish), 201);
    },
  );
  app.post<StartRequest>(
    '/configurations/:name/versions/:version/start',
    { schema: schemas.start, config: { role: 'admin' } },
    (request, reply) => {
      const { operator, reason = '', ...start } = request.body;
      const { name, version } = request.params;
      const wish = { ...start, reason, actor: askerOf(request, operator) };
      return send(reply, configurations.start(name, Number(version), wish), 202);
    },
  );
  app.post<RemoveRequest>(
    '/configurations/:name/remove',
    { schema: schemas.remove, config: { role: 'admin' } },
    (request, reply) => {
      const { operator, reason = '', version } = request.body;
      const wish = { reason, version, actor: askerOf(request, operator) };
      return send(reply, configurations.remove(request.params.name, wish), 202);
    },
  );
}

export function addConfigurationRoutes(
  app: FastifyInstance,
  { configurations }: ConfigurationRouteOptions,
): void {
  if (configurations === undefined) return;
  addActs(app, configurations);
  app.get('/configurations', { schema: schemas.list, config: { role: 'viewer' } }, () => ({
    configurations: configurations.list(),
  }));
  app.get<Name>(
    '/configurations/:name',
    { schema: schemas.one, config: { role: 'viewer' } },
    (request, reply) =>
      configurations.get(request.params.name) ?? sendProblem(reply, 404, NOT_THERE),
  );
  app.get<Name>(
    '/configurations/:name/versions',
    { schema: schemas.versions, config: { role: 'viewer' } },
    (request, reply) => {
      const versions = configurations.history(request.params.name);
      return versions === undefined ? sendProblem(reply, 404, NOT_THERE) : { versions };
    },
  );
  app.get<Numbered>(
    '/configurations/:name/versions/:version',
    { schema: schemas.text, config: { role: 'oncall' } },
    (request, reply) => {
      const { name, version } = request.params;
      const found = configurations.version(name, Number(version));
      return found ?? sendProblem(reply, 404, NOT_THERE);
    },
  );
}
