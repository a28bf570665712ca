// GET /metrics/terminals: what every terminal measures, for small fleets whose Prometheus only scrapes. Larger ones
// are refused with a sentence that says what to do instead. A terminal that is not online has only what the
// broker knows of it (pos_terminal_up 0), so that its last values are not drawn on as if it were there.

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Observed } from '../fleet/observations.ts';
import type { RouteRole } from './auth.ts';
import { sendProblem } from './problem.ts';
import { behind } from './schema-parts.ts';
import { schemas } from './schemas.ts';
import { type Newest, SCRAPED_TERMINALS_MAX } from './scrape-newest.ts';
import { PAGE_TYPE, pageOf, type Shown } from './scrape-page.ts';

export type ScrapeOptions = {
  /** Without it there is no such route. */
  readonly scrape?: {
    readonly observed: Fleet['observed'];
    readonly samplesOfStores?: Fleet['samplesOfStores'];
    readonly newest: Pick<Newest, 'of'>;
  };
  readonly metricsRole: RouteRole;
};

/** Scrapes that are being answered; each holds the page's parts until it is read. */
const SCRAPES_MAX = 4;
const TOO_MANY = `at most ${SCRAPED_TERMINALS_MAX} terminals can be scraped, and this fleet has more: \
set sinks.remoteWrite, which also keeps the time of each sample; /metrics has the fleet's sums`;
const BUSY = 'others are being answered; scrape less often, or from fewer places';

function shownOf(
  { id: terminal, store, presence, samples }: Observed,
  newest: Pick<Newest, 'of'>,
): Shown {
  const isThere = presence === 'online';
  return { store, terminal, samples: isThere ? [...samples, ...newest.of(terminal)] : samples };
}

/** The label terminal is empty there, as in what the sinks write. */
const showStores = (samples: readonly Sample[]): readonly Shown[] =>
  [...Map.groupBy(samples, ({ labels }) => labels['store'] ?? '')].map(([store, of]) => ({
    ...{ store, terminal: '', samples: of },
  }));

export function addScrapeRoute(app: FastifyInstance, options: ScrapeOptions): void {
  const { scrape, metricsRole: role } = options;
  if (scrape === undefined) return;
  let answering = 0;
  app.get(
    '/metrics/terminals',
    { schema: behind(role, schemas.scrape), config: { role } },
    (_request, reply) => {
      const observed = scrape.observed(SCRAPED_TERMINALS_MAX);
      if (observed === undefined) return sendProblem(reply, 422, TOO_MANY);
      if (answering >= SCRAPES_MAX) return sendProblem(reply, 503, BUSY);
      answering += 1;
      const stores = showStores(scrape.samplesOfStores?.() ?? []);
      const terminals = observed.map((one) => shownOf(one, scrape.newest));
      const page = Readable.from(pageOf([...stores, ...terminals]));
      page.once('close', () => {
        answering -= 1;
      });
      return reply.header('content-type', PAGE_TYPE).send(page);
    },
  );
}
