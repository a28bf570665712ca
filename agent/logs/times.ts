// When a line was written, as it says itself: winston's and pino's JSON, logfmt, and the ISO times that most
// programs put in front. A line without a time belongs to the one before it, as a stack trace does; that is
// for the reader to know, here it is just undefined. Pure.

/** Nothing a till writes is older or newer; what says so is a number that is no time. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

const ISO = String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?`;
const AT_START = new RegExp(`^\\[?(${ISO})`);
const LOGFMT = new RegExp(`(?:^|[ ])(?:time|ts|timestamp)="?(${ISO})`);
/** JSON that is cut or broken; a quote that is escaped belongs to a text within. */
const IN_JSON = new RegExp(String.raw`(?<!\\)"(?:timestamp|@timestamp|time|ts)":\s?"(${ISO})"`);
const KEYS = ['timestamp', '@timestamp', 'time', 'ts'] as const;
/** Where a time stands in a line that is no JSON. */
const HEAD_CHARS = 200;

const plausible = (ms: number): number | undefined =>
  ms >= EARLIEST_MS && ms <= LATEST_MS ? Math.floor(ms) : undefined;

/** Log4j's comma and a blank for the T; without a zone it is the terminal's own time. */
function parseIso(text: string): number | undefined {
  const usual = text
    .replace(' ', 'T')
    .replace(',', '.')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2')
    .replace(/(\.\d{3})\d+/, '$1');
  return plausible(Date.parse(usual));
}

/** Seconds, milliseconds, microseconds or nanoseconds since the epoch: only one of them is near today. */
function parseNumber(value: number): number | undefined {
  return [1_000, 1, 1e-3, 1e-6]
    .map((scale) => plausible(value * scale))
    .find((ms) => ms !== undefined);
}

function ofValue(value: unknown): number | undefined {
  if (typeof value === 'number') return parseNumber(value);
  if (typeof value !== 'string') return undefined;
  return /^\d{10,19}(?:\.\d+)?$/.test(value) ? parseNumber(Number(value)) : parseIso(value);
}

function ofJson(line: string): number | undefined {
  try {
    const record = JSON.parse(line) as Record<string, unknown>;
    for (const key of KEYS) {
      const found = ofValue(record[key]);
      if (found !== undefined) return found;
    }
    return undefined;
  } catch {
    const found = IN_JSON.exec(line)?.[1];
    return found === undefined ? undefined : parseIso(found);
  }
}

/** @returns wall clock of the terminal in ms. */
export function timeOfLine(line: string): number | undefined {
  if (line.startsWith('{')) return ofJson(line);
  const head = line.slice(0, HEAD_CHARS);
  const found = AT_START.exec(head)?.[1] ?? LOGFMT.exec(head)?.[1];
  return found === undefined ? undefined : parseIso(found);
}
