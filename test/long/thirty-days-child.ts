// A till that is offline for thirty days and then comes back, in a process with the memory of an agent: arguments
// are the quota in bytes and the days. Says as one line of JSON what arrived and how it agrees with what was told.

import { constants, setPriority } from 'node:os';
import {
  DAY_MS,
  disagreements,
  EVERY_MS,
  goOffline,
  makeQuickFolder,
  receive,
  SERIES,
  toldBy,
} from '../unit/offline-rig.ts';
import { fakeClock, open } from '../unit/outbox-rig.ts';

// A minute of nothing but computing, beside tests that look at clocks.
setPriority(constants.priority.PRIORITY_LOW);

const [bytesMax = 0, days = 0] = process.argv.slice(2).map(Number);
const instants = (days * DAY_MS) / EVERY_MS;
const folder = makeQuickFolder();
process.on('exit', () => folder.remove());
const clock = fakeClock();
const peakMb = (): number => process.resourceUsage().maxRSS / 1024;

// What a day needs, code and garbage, before it is looked at what a month needs more.
const warm = open(folder.path, clock, { bytesMax });
receive(warm, goOffline(warm, clock, 2_000), 2_000);
warm.close();
const beforeMb = peakMb();

const offline = open(folder.path, clock, { bytesMax });
const startMs = goOffline(offline, clock, instants);
const { bytes, thinned, drops } = offline.stats();
offline.close();
const outbox = open(folder.path, clock, { bytesMax });
const arrived = receive(outbox, startMs, instants);
outbox.close();

const gaps = toldBy(arrived.events, 'gap');
const fewer = toldBy(arrived.events, 'thinned');
/** Newest instants that arrived whole. */
const whole = arrived.counts.toReversed().findIndex((count) => count !== SERIES);
console.log(
  JSON.stringify({
    taken: instants * SERIES,
    ...{ samples: arrived.samples, wrong: arrived.wrong, batches: arrived.batches },
    ...{ wireBytes: arrived.bytes, bytes, thinned, drops },
    twice: arrived.counts.reduce((sum, count) => sum + Math.max(0, count - SERIES), 0),
    wholeDays: ((whole < 0 ? instants : whole) * EVERY_MS) / DAY_MS,
    gaps: { samples: gaps.samples, records: gaps.ranges.length },
    fewer: { samples: fewer.samples, records: fewer.ranges.length },
    events: arrived.events.filter(({ kind }) => kind === 'agent_stopping').length,
    disagreements: disagreements(arrived, startMs).length,
    grownMb: peakMb() - beforeMb,
    cpuSeconds: Math.round(process.cpuUsage().user / 1e6),
  }),
);
