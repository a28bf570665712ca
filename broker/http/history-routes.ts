// The recent past of one terminal over HTTP: one metric name, from when to when, and at most how many points. A
// chart asks for as many points as it has pixels and gets that many, whatever lies between.

import type { FastifyInstance } from 'fastify';
import type { Fleet } from '../fleet/fleet.ts';
import {
  type HistoryAnswer,
  type HistoryQuery,
  POINTS_DEFAULT,
  type Reducer,
} from '../history/answer.ts';
import type { History } from '../history/history.ts';
import { sendProblem } from './problem.ts';
import { schemas } from './schemas.ts';
import { readTime, unreadableTime } from './times.ts';

export type HistoryRouteOptions = {
  readonly fleet: Pick<Fleet, 'view'>;
  /** Without it there is no such route. */
  readonly history?: Pick<History, 'ask'>;
  readonly nowMs: () => number;
};

type Question = {
  Params: { id: string };
  Querystring: {
    name: string;
    since?: string;
    until?: string;
    step?: string;
    by?: Reducer;
    points?: string;
    label?: string | string[];
  };
};

/** A question that names no time is of a day. */
const SPAN_MS = 24 * 3_600_000;
/** More than any history holds, and few enough to look into each hour of it. */
const SPAN_MS_MAX = 400 * SPAN_MS;
const BACKWARDS = 'until: must not be before since';
const TOO_LONG = 'since: at most 400 days before until';

function readLabels(given: string | string[] | undefined): Record<string, string> {
  const pairs = given === undefined ? [] : [given].flat();
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** @returns the question, or what cannot be read in it. */
function readQuestion(
  terminal: string,
  given: Question['Querystring'],
  nowMs: number,
): HistoryQuery | string {
  const untilMs = readTime(given.until) ?? nowMs;
  if (Number.isNaN(untilMs)) return unreadableTime('until');
  const sinceMs = readTime(given.since) ?? untilMs - SPAN_MS;
  if (Number.isNaN(sinceMs)) return unreadableTime('since');
  if (untilMs < sinceMs) return BACKWARDS;
  if (untilMs - sinceMs > SPAN_MS_MAX) return TOO_LONG;
  return {
    terminal,
    name: given.name,
    sinceMs,
    untilMs,
    stepMs: given.step === undefined ? undefined : Number(given.step) * 1000,
    by: given.by ?? 'last',
    pointsMax: Number(given.points ?? POINTS_DEFAULT),
    labels: readLabels(given.label),
  };
}

/** JSON has no NaN and no infinities. */
const shownValue = (value: number): number | string => {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
};
const shown = ({ series, ...answer }: HistoryAnswer) => ({
  ...answer,
  series: series.map(({ labels, points }) => ({
    labels,
    points: points.map(([timeMs, value]) => [timeMs, shownValue(value)]),
  })),
});

export function addHistoryRoutes(
  app: FastifyInstance,
  { fleet, history, nowMs }: HistoryRouteOptions,
): void {
  if (history === undefined) return;
  app.get<Question>(
    '/terminals/:id/history',
    { schema: schemas.history, config: { role: 'viewer' } },
    async (request, reply) => {
      const { id } = request.params;
      if (fleet.view(id) === undefined) {
        return await sendProblem(reply, 404, `there is no terminal "${id}" in this fleet`);
      }
      const question = readQuestion(id, request.query, nowMs());
      if (typeof question === 'string') return await sendProblem(reply, 400, question);
      const answer = await history.ask(question);
      return answer.ok ? shown(answer.value) : await sendProblem(reply, 503, answer.reason);
    },
  );
}
