// Stands in for Loki, of which no package is to be had: takes pushes as its documentation says ("Loki HTTP API", "Limits
// config") and refuses what a real one refuses, with its sentences: labels and their names, times as strings, lines that
// are too long, too old, too new or too far behind their stream, too many streams, too much a second, no tenant.
// What is the same in stream, time, line and metadata is kept once. What it has taken is in a file before it
// answers, so that it may be killed. As a program: loki-standin.ts PORT FILE.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';

const HOUR_MS = 3_600_000;
export const LIMITS = {
  labelsMax: 15,
  labelNameChars: 1_024,
  labelValueChars: 2_048,
  lineBytes: 256 * 1024,
  metadataBytes: 64 * 1024,
  metadataCount: 128,
  ageMs: 7 * 24 * HOUR_MS,
  graceMs: 10 * 60_000,
  behindMs: HOUR_MS,
  streams: 5_000,
  bodyBytes: 4 * 1024 * 1024,
  rateBytes: 4 * 1024 * 1024,
  burstBytes: 6 * 1024 * 1024,
};
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export type Kept = {
  readonly stream: Readonly<Record<string, string>>;
  readonly ns: string;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
};
export type Reply = { readonly status: number; readonly text: string };
type Options = {
  readonly nowMs: () => number;
  readonly limits?: Partial<typeof LIMITS>;
  readonly path?: string;
  readonly hasTenants?: boolean;
  readonly keep?: (entries: readonly Kept[]) => void;
};
type Headers = Readonly<Record<string, string | string[] | undefined>>;

const bad = (text: string, status = 400): Reply => ({ status, text });
const isText = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === 'string');
const stamp = (ms: number): string => new Date(ms).toISOString();
const shown = (stream: Kept['stream']): string =>
  `{${Object.entries(stream)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}}`;

export function createStandIn({ nowMs, path = '/loki/api/v1/push', ...options }: Options) {
  const limits = { ...LIMITS, ...options.limits };
  const kept = new Map<string, Kept>();
  const newest = new Map<string, number>();
  let duplicates = 0;
  let tokens = limits.burstBytes;
  let atMs = nowMs();
  const keyOf = (stream: Kept['stream']): string => JSON.stringify(Object.entries(stream).sort());
  function add(entry: Kept): void {
    const stream = keyOf(entry.stream);
    const key = `${stream} ${entry.ns} ${entry.line} ${JSON.stringify(entry.metadata)}`;
    if (kept.has(key)) duplicates += 1;
    kept.set(key, entry);
    newest.set(stream, Math.max(newest.get(stream) ?? 0, Number(entry.ns.slice(0, -6))));
  }

  function labelsOf(stream: unknown): Kept['stream'] | Reply {
    if (!isText(stream) || Object.keys(stream).length === 0) {
      return bad('error at least one label pair is required per stream');
    }
    const names = Object.entries(stream);
    if (names.length > limits.labelsMax) {
      return bad(`entry for stream '${shown(stream)}' has ${names.length} label names; limit 15`);
    }
    for (const [name, value] of names) {
      const isLong = name.length > limits.labelNameChars || value.length > limits.labelValueChars;
      if (!LABEL.test(name) || isLong) return bad(`stream '${shown(stream)}' has invalid label`);
    }
    return stream;
  }

  /** Why one entry is refused. */
  function refusal({ stream, ns, line, metadata }: Kept): string | undefined {
    const ms = Number(ns.slice(0, -6));
    const now = nowMs();
    const what = `entry for stream '${shown(stream)}'`;
    if (Buffer.byteLength(line) > limits.lineBytes) {
      return `Max entry size '${limits.lineBytes}' bytes exceeded for stream '${shown(stream)}'`;
    }
    const size = Object.entries(metadata).join('').length;
    if (size > limits.metadataBytes || Object.keys(metadata).length > limits.metadataCount) {
      return `stream '${shown(stream)}' has structured metadata too large`;
    }
    if (ms < now - limits.ageMs) {
      const oldest = stamp(now - limits.ageMs);
      return `${what} has timestamp too old: ${stamp(ms)}, oldest acceptable timestamp is: ${oldest}`;
    }
    if (ms > now + limits.graceMs) return `${what} has timestamp too new: ${stamp(ms)}`;
    const oldestMs = (newest.get(keyOf(stream)) ?? 0) - limits.behindMs;
    if (ms >= oldestMs) return undefined;
    return (
      `entry with timestamp ${stamp(ms)} ignored, reason: 'entry too far behind, entry timestamp ` +
      `is: ${stamp(ms)}, oldest acceptable timestamp is: ${stamp(oldestMs)}'`
    );
  }

  function entriesOf(stream: Kept['stream'], values: unknown): Kept[] | Reply {
    if (!Array.isArray(values)) return bad('loghttp.PushRequest.Streams: Values is no array');
    const entries: Kept[] = [];
    for (const value of values as unknown[]) {
      const [ns, line, metadata = {}] = Array.isArray(value) ? (value as unknown[]) : [];
      if (typeof ns !== 'string' || !/^\d{1,19}$/.test(ns)) {
        return bad(
          'loghttp.PushRequest: Value looks like Number/Boolean/None, but can not find string',
        );
      }
      if (typeof line !== 'string' || !isText(metadata)) return bad('loghttp.PushRequest: invalid');
      entries.push({ stream, ns, line, metadata });
    }
    return entries;
  }

  function take(bytes: Buffer): Reply {
    let body: { streams?: unknown };
    try {
      body = JSON.parse(bytes.toString()) as typeof body;
    } catch (error) {
      return bad(`couldn't parse push request: ${String(error)}`);
    }
    const good: Kept[] = [];
    const refused: string[] = [];
    for (const one of (body.streams ?? []) as { stream?: unknown; values?: unknown }[]) {
      const stream = labelsOf(one.stream);
      if ('status' in stream && 'text' in stream) return stream as unknown as Reply;
      const entries = entriesOf(stream as Kept['stream'], one.values);
      if (!Array.isArray(entries)) return entries;
      const isNew = !newest.has(keyOf(stream as Kept['stream']));
      if (isNew && newest.size >= limits.streams)
        return bad('Maximum active stream limit exceeded', 429);
      for (const entry of entries) {
        const why = refusal(entry);
        if (why !== undefined) refused.push(why);
        else {
          good.push(entry);
          add(entry);
        }
      }
    }
    options.keep?.(good);
    const [first] = refused;
    if (first === undefined) return { status: 204, text: '' };
    return bad(`${first}\ntotal ignored: ${refused.length} out of ${refused.length + good.length}`);
  }

  return {
    entries: (): readonly Kept[] => [...kept.values()],
    duplicates: (): number => duplicates,
    /** What it had taken before it was killed. */
    recall: (entries: readonly Kept[]): void => entries.forEach(add),
    push: (url: string, headers: Headers, bytes: Buffer): Reply => {
      if (url !== path) return bad('404 page not found', 404);
      if (options.hasTenants && !headers['x-scope-orgid']) return bad('no org id', 401);
      if (!/^application\/json/.test(String(headers['content-type']))) {
        return bad('failed to decode snappy payload');
      }
      let body = bytes;
      const encoding = headers['content-encoding'];
      try {
        if (encoding === 'gzip') body = gunzipSync(bytes);
        else if (encoding !== undefined)
          return bad(`Content-Encoding "${String(encoding)}" not supported`);
      } catch (error) {
        return bad(String(error));
      }
      if (body.length > limits.bodyBytes) return bad('received message larger than max', 413);
      const now = nowMs();
      tokens = Math.min(limits.burstBytes, tokens + ((now - atMs) / 1_000) * limits.rateBytes);
      atMs = now;
      if (tokens < body.length) {
        return bad('Ingestion rate limit exceeded for user fake, adjust rate limits', 429);
      }
      tokens -= body.length;
      return take(body);
    },
  };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What lies in its file. */
export function readKept(file: string): Kept[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  // The last one may be half written: it was answered to nobody.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Kept);
}

if (import.meta.main) {
  const [port = '0', file = ''] = process.argv.slice(2);
  const keep = (entries: readonly Kept[]): void => {
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    if (text !== '') appendFileSync(file, text);
  };
  const standIn = createStandIn({ nowMs: Date.now, keep });
  standIn.recall(readKept(file));
  const server = createServer((request, response) => {
    void bytesOf(request).then((bytes) => {
      const { status, text } = standIn.push(request.url ?? '', request.headers, bytes);
      response.writeHead(status).end(text);
    });
  });
  server.listen(Number(port), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify(server.address())}\n`);
  });
}
