// Looks whether a database will take what a till brings after days without a line, and says which flag or
// window is missing. It writes a canary series, now and an hour back, because that is the truth; where the
// database tells its flags (Prometheus: status API, VictoriaMetrics: /metrics) they say more: how long
// the window is, whether what comes twice is kept once. A stock Prometheus has no receiver and no window.

import type { Part } from './parts.ts';
import type { HttpClient } from './post.ts';
import type { Templates } from './templates.ts';
import type { Verdict } from './verdict.ts';
import { shownUrl } from './words.ts';

/** A till keeps this long what it could not send. */
const AWAY_DAYS = 30;
const DAY_MS = 86_400_000;
const CANARY_AGE_MS = 3_600_000;
const CANARY = 'tillwatch_sink_canary';
const WRITE_PATH = /\/api\/v1\/(write|push)$/;

const WINDOW_FLAG = `storage.tsdb.out_of_order_time_window: ${AWAY_DAYS}d`;

export type Tested = {
  /** What is wrong or missing. */
  readonly sentences: readonly string[];
  /** Whether what comes twice is kept once; undefined: it could not be asked. */
  readonly keepsOnce?: boolean;
};

export type SelfTestOptions = {
  readonly name: string;
  readonly url: string;
  readonly client: Pick<HttpClient, 'get'>;
  readonly templates: Templates;
  readonly write: (parts: readonly Part[]) => Promise<Verdict>;
  readonly nowMs: () => number;
};

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};

/** Durations of Prometheus and VictoriaMetrics (1d12h); undefined when it is none. */
export function durationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) return undefined;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0);
}

function windowOf(where: string, text: string): string[] {
  const windowMs = durationMs(text) ?? 0;
  if (windowMs >= AWAY_DAYS * DAY_MS) return [];
  const what =
    windowMs === 0 ? 'has no out-of-order window' : `has an out-of-order window of ${text}`;
  const then = 'what a terminal sends after a longer absence is refused and buried';
  return [`Prometheus at ${where} ${what}: ${then}; set ${WINDOW_FLAG} in its configuration file`];
}

function retentionOf(where: string, flags: Readonly<Record<string, unknown>>): string[] {
  const time = String(flags['storage.tsdb.retention.time'] ?? '0s');
  const old = String(flags['storage.tsdb.retention'] ?? '0s');
  const bySize = durationMs(String(flags['storage.tsdb.retention.size'] ?? '0B').replace('B', 's'));
  const set = [time, old].map(durationMs).find((ms) => ms !== undefined && ms > 0);
  // Neither time nor size: 15 days are the default [prometheus.io, Operational aspects].
  const keptMs = set ?? (bySize === 0 ? 15 * DAY_MS : undefined);
  if (keptMs === undefined || keptMs >= AWAY_DAYS * DAY_MS) return [];
  const days = Math.floor(keptMs / DAY_MS);
  const then = 'what a terminal brings after a longer absence is deleted soon';
  return [
    `Prometheus at ${where} keeps ${days} days: ${then}; set --storage.tsdb.retention.time=60d`,
  ];
}

async function json(
  client: Pick<HttpClient, 'get'>,
  url: string,
): Promise<Record<string, unknown>> {
  const answer = await client.get(url);
  if (!answer.ok || answer.status !== 200) return {};
  try {
    const { data } = JSON.parse(answer.text) as { data?: unknown };
    return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** VictoriaMetrics tells its flags as metrics; undefined where it is something else. */
function victoriaFlags(text: string): ReadonlyMap<string, string> | undefined {
  const flags = [...text.matchAll(/^flag\{name="([^"]+)",\s*value="([^"]*)"/gm)];
  return flags.length === 0
    ? undefined
    : new Map(flags.map(([, flag = '', value = '']) => [flag, value]));
}

function victoriaSentences(where: string, flags: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  if ((durationMs(flags.get('dedup.minScrapeInterval') ?? '0s') ?? 0) === 0) {
    const flag = '-dedup.minScrapeInterval=1ms';
    found.push(
      `VictoriaMetrics at ${where} keeps a sample that comes twice twice: start it with ${flag}`,
    );
  }
  const kept = flags.get('retentionPeriod') ?? '1';
  // A bare number counts months of 31 days [VictoriaMetrics, Retention].
  const keptMs = /^\d+$/.test(kept) ? Number(kept) * 31 * DAY_MS : durationMs(kept);
  if (keptMs !== undefined && keptMs < AWAY_DAYS * DAY_MS) {
    const then = 'what a terminal brings after a longer absence is dropped without a word';
    found.push(
      `VictoriaMetrics at ${where} keeps ${kept}: ${then}; start it with -retentionPeriod=12`,
    );
  }
  return found;
}

/** What the database says of itself; undefined when it says nothing. */
async function readFlags(options: SelfTestOptions): Promise<Tested | undefined> {
  const { client } = options;
  const url = new URL(options.url);
  if (!WRITE_PATH.test(url.pathname)) return undefined;
  const base = `${url.origin}${url.pathname.replace(WRITE_PATH, '')}`;
  const where = shownUrl(base);
  const flags = await json(client, `${base}/api/v1/status/flags`);
  if (flags['storage.tsdb.retention.time'] !== undefined) {
    const { yaml } = await json(client, `${base}/api/v1/status/config`);
    // What may not be read says nothing; whether the past was taken does.
    if (typeof yaml !== 'string') return undefined;
    const window = /out_of_order_time_window:\s*"?([0-9a-z]+)/.exec(yaml)?.[1] ?? '0';
    return {
      sentences: [...windowOf(where, window), ...retentionOf(where, flags)],
      keepsOnce: (durationMs(window) ?? 0) > 0,
    };
  }
  const page = await client.get(`${base}/metrics`);
  // It took a sample a moment ago: it is gone now, and knows better when it is back.
  if (!page.ok) return { sentences: [`${where} cannot be reached: ${page.reason}`] };
  const victoria = victoriaFlags(page.text);
  if (victoria === undefined) return undefined;
  return {
    sentences: victoriaSentences(where, victoria),
    keepsOnce: (durationMs(victoria.get('dedup.minScrapeInterval') ?? '') ?? 0) > 0,
  };
}

function canary({ name, templates }: SelfTestOptions, timeMs: number): Part[] {
  const template = templates.templateOf(CANARY, ['sink', name]);
  if (template === undefined) return [];
  return [{ place: templates.placeOf('', ''), template, timesMs: [timeMs], values: [1] }];
}

/** Never throws. */
export async function selfTest(options: SelfTestOptions): Promise<Tested> {
  const where = shownUrl(options.url);
  const nowMs = options.nowMs();
  const present = await options.write(canary(options, nowMs));
  if (present.kind === 'again') return { sentences: [present.sentence] };
  if (present.kind === 'bad') {
    return { sentences: [`${where} does not take a sample of now: ${present.sentence}`] };
  }
  const past = await options.write(canary(options, nowMs - CANARY_AGE_MS));
  if (past.kind === 'again') return { sentences: [past.sentence] };
  const flags = await readFlags(options);
  if (flags !== undefined) return flags;
  // Whoever takes the past has a window, and with it keeps once what comes twice.
  if (past.kind === 'taken') return { sentences: [], keepsOnce: true };
  const then = 'what terminals send after an absence is refused and buried';
  const said = `${where} does not take samples of an hour ago (${past.sentence})`;
  return { sentences: [`${said}: ${then}; set ${WINDOW_FLAG}`], keepsOnce: false };
}
