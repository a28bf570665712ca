// How the sinks are: for whoever points the broker at a database and wonders what is missing. The sentences are
// those of the self-test and name the flag to set.

import type { FastifyInstance } from 'fastify';
import type { Sinks } from '../sinks/sinks.ts';
import { schemas } from './schemas.ts';

export type SinkRouteOptions = {
  /** None: nothing is answered. */
  readonly sinks?: Pick<Sinks, 'status' | 'deadLetters'>;
};
/** Newest first; the counters on /metrics have all. */
const DEAD_LETTERS_SHOWN = 100;

export function addSinkRoutes(app: FastifyInstance, { sinks }: SinkRouteOptions): void {
  if (sinks === undefined) return;
  app.get('/sinks', { schema: schemas.sinks, config: { role: 'viewer' } }, () => ({
    sinks: sinks
      .status()
      .map(({ up, cursor: _, position: __, ...one }) => ({ ...one, up: up ?? null })),
    deadLetters: sinks.deadLetters(DEAD_LETTERS_SHOWN),
  }));
}
