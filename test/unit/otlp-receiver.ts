// A small real OTLP/HTTP receiver: it decodes what is posted by OTLP's own schema (names of its JSON mapping,
// field numbers of opentelemetry-proto), keeps it, and answers as it is told. Nothing of ours is in it.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

type Value = Record<string, unknown>;
export type Received = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly events: readonly { readonly name: string; readonly timeNs: bigint }[];
};
export type Reply = {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Record<string, string>;
  /** Only the head of the answer is sent, and then nothing. */
  readonly drips?: boolean;
};

const list = (value: unknown): Value[] => (Array.isArray(value) ? (value as Value[]) : []);

function plainValue(given: unknown): unknown {
  const value = given as Value;
  if (value['intValue'] !== undefined) return Number(value['intValue']);
  return value['stringValue'] ?? value['boolValue'] ?? value['doubleValue'];
}
const attributesOf = (all: unknown): Record<string, unknown> =>
  Object.fromEntries(list(all).map(({ key, value }) => [String(key), plainValue(value)]));

/** The JSON mapping of OTLP: ids in hex, 64-bit numbers as text. */
export function decodeJson(text: string): Received[] {
  return list((JSON.parse(text) as Value)['resourceSpans']).flatMap((group) => {
    const resource = attributesOf((group['resource'] as Value | undefined)?.['attributes']);
    return list(group['scopeSpans']).flatMap(({ spans }) =>
      list(spans).map((span) => ({
        traceId: String(span['traceId']),
        spanId: String(span['spanId']),
        parentSpanId: String(span['parentSpanId'] ?? ''),
        name: String(span['name']),
        kind: Number(span['kind']),
        startNs: BigInt(String(span['startTimeUnixNano'])),
        endNs: BigInt(String(span['endTimeUnixNano'])),
        attributes: attributesOf(span['attributes']),
        resource,
        status: (span['status'] ?? {}) as Received['status'],
        events: list(span['events']).map((event) => ({
          name: String(event['name']),
          timeNs: BigInt(String(event['timeUnixNano'])),
        })),
      })),
    );
  });
}

export type Receiver = {
  readonly url: string;
  readonly port: number;
  /** Everything that was taken, in order, also what came twice. */
  readonly spans: Received[];
  readonly requests: { readonly spans: number; readonly headers: IncomingMessage['headers'] }[];
  /** What is answered to the next requests; undefined: taken. */
  answer: (spans: readonly Received[]) => Reply | 'hang' | 'reset' | undefined;
  readonly close: () => Promise<void>;
};

const bodyOf = async (incoming: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const isPacked = incoming.headers['content-encoding'] === 'gzip';
  return (isPacked ? gunzipSync(bytes) : bytes).toString('utf8');
};

/** @param port 0: any. */
export async function openReceiver(port = 0): Promise<Receiver> {
  async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const spans = decodeJson(await bodyOf(incoming));
    receiver.requests.push({ spans: spans.length, headers: incoming.headers });
    const reply = receiver.answer(spans) ?? { status: 200, json: {} };
    if (reply === 'hang') return;
    if (reply === 'reset') {
      incoming.socket.destroy();
      return;
    }
    if (reply.status < 300) receiver.spans.push(...spans);
    const json = JSON.stringify(reply.json ?? {});
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    if (reply.drips) response.write(json.slice(0, 1));
    else response.end(json);
  }
  const server = createServer((incoming, response) => {
    take(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => {
    server.listen(port, '127.0.0.1', done);
  });
  const address = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${address.port}/v1/traces`,
    port: address.port,
    spans: [],
    requests: [],
    answer: () => undefined,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
  return receiver;
}
