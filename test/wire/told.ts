// What the lines of a session say, read by the version that recorded them: kept beside them, so that a later version has
// to find the same in them. Reading them again with itself would prove nothing.

import { createHash, type KeyObject } from 'node:crypto';
import { unpackBody } from '../../protocol/body.ts';
import { decodeResultBody, parsePublicKey, verifyCommand } from '../../protocol/commands.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeLogChunk } from '../../protocol/logs.ts';
import { decodeMetricBody, type Sample } from '../../protocol/metric-body.ts';
import type { Result } from '../../protocol/result.ts';
import { decodeTraces } from '../../protocol/traces.ts';
import { type Batch, decodeBatch } from '../../protocol/wire.ts';
import { fromBase64, type Line, type Told } from './recording.ts';

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.reason);
}

export const keysOf = (texts: readonly string[]): ReadonlyMap<string, KeyObject> =>
  new Map(texts.map((text) => must(parsePublicKey(text))).map(({ keyId, key }) => [keyId, key]));

/** Every batch once, in the order in which it was first sent. */
export function batchesOf(
  lines: readonly Line[],
): readonly (Batch & { readonly bytes: Uint8Array })[] {
  const found = new Map<string, Batch & { readonly bytes: Uint8Array }>();
  for (const line of lines) {
    if (line.what !== 'batch' || found.has(line.data)) continue;
    const bytes = fromBase64(line.data);
    found.set(line.data, { ...must(decodeBatch(bytes)), bytes });
  }
  return [...found.values()];
}

export const seriesText = ({ name, labels }: Pick<Sample, 'name' | 'labels'>): string => {
  const text = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`);
  return text.length === 0 ? name : `${name}{${text.join(',')}}`;
};

type Bodies = Record<'events' | 'results' | 'metrics' | 'traces' | 'logs', readonly Uint8Array[]>;

function bodiesOf(lines: readonly Line[]): Bodies {
  const bodies = { events: [], results: [], metrics: [], traces: [], logs: [] };
  for (const batch of batchesOf(lines)) {
    (bodies[batch.stream] as Uint8Array[]).push(must(unpackBody(batch)));
  }
  return bodies;
}

function logsOf(bodies: readonly Uint8Array[]): Told['logs'] {
  const parts = new Map<string, Map<number, Uint8Array>>();
  for (const body of bodies) {
    const { request, offset, body: part } = must(decodeLogChunk(body));
    const known = parts.get(request) ?? new Map<number, Uint8Array>();
    parts.set(request, known.set(offset, part));
  }
  const told = [...parts].map(([request, by]) => {
    const whole = Buffer.concat([...by].sort(([a], [b]) => a - b).map(([, part]) => part));
    const sha256 = createHash('sha256').update(whole).digest('hex');
    return [request, { bytes: whole.length, sha256 }] as const;
  });
  return Object.fromEntries(told);
}

function commandsOf(lines: readonly Line[], keys: readonly string[]): Told['commands'] {
  const seen = new Map<string, string>();
  for (const line of lines) {
    if (line.what !== 'command') continue;
    const { id, kind } = must(verifyCommand(fromBase64(line.data), keysOf(keys)));
    seen.set(id, kind);
  }
  return [...seen];
}

export function toldBy(lines: readonly Line[], keys: readonly string[]): Told {
  const bodies = bodiesOf(lines);
  const events = bodies.events.flatMap((body) => must(decodeEventBody(body)));
  const snapshots = bodies.metrics.flatMap((body) => must(decodeMetricBody(body)));
  const inOrder = snapshots.toSorted((a, b) => a.timeMs - b.timeMs);
  const newest = inOrder.flatMap(({ samples }) =>
    samples.map((one) => [seriesText(one), one.value] as const),
  );
  const inventory = events.findLast(({ kind }) => kind === 'inventory')?.fields['components'];
  const components = (inventory ?? []) as readonly { name: string; version: string }[];
  const results = bodies.results.flatMap((body) => must(decodeResultBody(body)));
  const spans = bodies.traces.flatMap((body) =>
    must(decodeTraces(body)).flatMap((group) => group.spans),
  );
  return {
    events: events.map(({ id, kind, component, timeMs }) => [id, kind, component, timeMs]),
    results: results.map(({ commandId, state }) => [commandId, state]),
    spans: spans.map(({ traceId, spanId }) => [traceId, spanId]),
    samples: snapshots.reduce((sum, { samples }) => sum + samples.length, 0),
    newest: Object.fromEntries(newest),
    logs: logsOf(bodies.logs),
    components: Object.fromEntries(components.map(({ name, version }) => [name, version])),
    commands: commandsOf(lines, keys),
  };
}
