// What a till of a hundred series costs its line: bytes for a terminal and day live and for a sample of
// backlog, beside Prometheus remote write 1.0 and OTLP with gzip for the same samples (wire-others.ts), and
// how long encoding and decoding take, with the compilers of a server and with those of an agent. One day of
// one simulated till, seeded (wire-till.ts); every body is decoded again and compared with what went in.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { packBody, unpackBody } from '../../protocol/body.ts';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { ackTopic, upTopic } from '../../protocol/topics.ts';
import { encodeAck, encodeBatch } from '../../protocol/wire.ts';
import { type Report, round } from './harness.ts';
import type { Options } from './options.ts';
import { AGENT_FLAGS } from './rig.ts';
import { otlp, remoteWrite } from './wire-others.ts';
import { inBatches, SAMPLE_MS, TILL_SERIES, tillSnapshots } from './wire-till.ts';

const DAY_MS = 86_400_000;
const COUNT = DAY_MS / SAMPLE_MS;
const SEED = 1;
const TERMINAL = 'sim-01-lane-1';
const EPOCH = new Uint8Array(16).fill(7);
const MB = 1_000_000;

/** Of an MQTT packet with this topic and payload at QoS 1 [MQTT-3.3]. */
const publishBytes = (topic: string, payload: number): number =>
  1 + (payload + topic.length + 4 < 128 ? 1 : 2) + 2 + topic.length + 2 + payload;
const PUBACK_BYTES = 4;
/** TLS 1.3: header, content type and tag of one record [RFC 8446 5.2]. */
const TLS_RECORD_BYTES = 22;
/** IPv4 and TCP with timestamps; each packet has one, and each exchange one bare acknowledgement. */
const SEGMENT_BYTES = 52;
const SEGMENT_PAYLOAD_MAX = 1_448;

/** Up and down on the interface, for one batch and its acknowledgement. Estimated: see the notes. */
function interfaceBytes(publish: number, ack: number): number {
  const packets = [publish, PUBACK_BYTES, ack, PUBACK_BYTES];
  const segments = packets.reduce((sum, bytes) => sum + Math.ceil(bytes / SEGMENT_PAYLOAD_MAX), 0);
  const bytes = packets.reduce((sum, one) => sum + one + TLS_RECORD_BYTES, 0);
  return bytes + (segments + 2) * SEGMENT_BYTES;
}

const valuesOf = (snapshots: readonly Snapshot[]): number =>
  snapshots.reduce((sum, { samples }) => sum + samples.length, 0);

const keyOf = ({ name, labels }: Snapshot['samples'][number]): string =>
  `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
const flat = (snapshots: readonly Snapshot[]): string[] =>
  snapshots.flatMap(({ timeMs, samples }) =>
    samples.map((sample) => `${timeMs} ${keyOf(sample)} ${sample.value}`).sort(),
  );

/** The envelope as it is published. @throws when it does not come back as it was. */
function ours(snapshots: readonly Snapshot[], seq: number): { body: number; batch: number } {
  const { encoding, body } = packBody(encodeMetricBody(snapshots));
  const back = unpackBody({ encoding, body });
  const decoded = back.ok ? decodeMetricBody(back.value) : back;
  if (!decoded.ok || flat(decoded.value).join('\n') !== flat(snapshots).join('\n')) {
    throw new Error(`a body did not come back as it was: ${decoded.ok ? '' : decoded.reason}`);
  }
  const createdMs = snapshots.at(-1)?.timeMs ?? 0;
  const head = { epoch: EPOCH, stream: 'metrics', seq, createdMs, clockOffsetMs: 340 } as const;
  return { body: body.length, batch: encodeBatch({ ...head, encoding, body }).length };
}

const ackBytes = (seq: number, brokerTimeMs: number): number =>
  encodeAck({
    ...{ epoch: EPOCH, refused: [], brokerTimeMs, paceBytesPerSecond: 0, notice: '' },
    streams: [{ stream: 'metrics', ranges: [{ first: seq, last: seq }] }],
    ledgerGeneration: new Uint8Array(16).fill(9),
  }).length;

function live(day: readonly Snapshot[], size: number) {
  const sum = { body: 0, payload: 0, acks: 0, interface: 0, remoteWrite: 0, otlp: 0 };
  for (const [i, snapshots] of inBatches(day, size).entries()) {
    const { body, batch } = ours(snapshots, i + 1);
    const ack = ackBytes(i + 1, snapshots.at(-1)?.timeMs ?? 0);
    sum.body += body;
    sum.payload += batch;
    sum.acks += ack;
    sum.interface += interfaceBytes(
      publishBytes(upTopic(TERMINAL, 'metrics'), batch),
      publishBytes(ackTopic(TERMINAL), ack),
    );
    sum.remoteWrite += remoteWrite(snapshots).length;
    sum.otlp += otlp(snapshots).length;
  }
  const megabytes = (bytes: number): number => round(bytes / MB);
  return {
    payloadMBPerDay: megabytes(sum.payload),
    bodyMBPerDay: megabytes(sum.body),
    acksMBPerDay: megabytes(sum.acks),
    interfaceMBPerDay: megabytes(sum.interface),
    remoteWriteMBPerDay: megabytes(sum.remoteWrite),
    otlpMBPerDay: megabytes(sum.otlp),
    remoteWriteRatio: round(sum.remoteWrite / sum.payload),
    otlpRatio: round(sum.otlp / sum.payload),
  };
}

function backlog(day: readonly Snapshot[], size: number) {
  const sum = { payload: 0, remoteWrite: 0, otlp: 0 };
  for (const [i, snapshots] of inBatches(day, size).entries()) {
    sum.payload += ours(snapshots, i + 1).batch;
    sum.remoteWrite += remoteWrite(snapshots).length;
    sum.otlp += otlp(snapshots).length;
  }
  const samples = valuesOf(day);
  const each = (bytes: number): number => Math.round((bytes / samples) * 1_000) / 1_000;
  return {
    bytesPerSample: each(sum.payload),
    remoteWriteBytesPerSample: each(sum.remoteWrite),
    otlpBytesPerSample: each(sum.otlp),
    remoteWriteRatio: round(sum.remoteWrite / sum.payload),
    otlpRatio: round(sum.otlp / sum.payload),
  };
}

const speed = (flags: readonly string[]): Record<string, number> => {
  const program = fileURLToPath(new URL('wire-speed-main.ts', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [...flags, program], { encoding: 'utf8' }));
};

type Sizes = Readonly<Record<string, number>>;
function table(sizes: Readonly<Record<string, Sizes>>, speeds: Record<string, Sizes>): string {
  const at = (row: string, name: string): string => String(sizes[row]?.[name] ?? '').padStart(10);
  const rows = [
    '                              ours    remote write   OTLP gzip   ours on the interface',
    ...['live60s', 'live15s'].map(
      (row) =>
        `  MB a day, ${row}    ${at(row, 'payloadMBPerDay')}${at(row, 'remoteWriteMBPerDay')}` +
        `      ${at(row, 'otlpMBPerDay')}   ${at(row, 'interfaceMBPerDay')}`,
    ),
    ...['backlog10min', 'backlog1h'].map(
      (row) =>
        `  bytes a sample, ${row.slice(7).padEnd(6)}${at(row, 'bytesPerSample')}` +
        `${at(row, 'remoteWriteBytesPerSample')}      ${at(row, 'otlpBytesPerSample')}`,
    ),
    '',
    `  microseconds${' '.repeat(20)}${Object.keys(speeds).join('   ')}`,
    ...Object.keys(speeds['server'] ?? {}).map(
      (name) =>
        `  ${name.padEnd(28)}${Object.values(speeds)
          .map((one) => String(one[name]).padStart(9))
          .join('')}`,
    ),
  ];
  return rows.join('\n');
}

export function run({ seed }: Pick<Options, 'seed'>): Promise<Report> {
  const day = [...tillSnapshots({ seed: seed ?? SEED, count: COUNT })];
  const sizes = {
    live60s: live(day, 4),
    live15s: live(day, 1),
    backlog10min: backlog(day, 40),
    backlog1h: backlog(day, 240),
  };
  const speeds = { server: speed([]), agent: speed(AGENT_FLAGS) };
  const series = day.at(-1)?.samples.length ?? 0;
  return Promise.resolve({
    name: 'wire',
    figures: { seed: seed ?? SEED, series, samples: valuesOf(day), ...sizes, micros: speeds },
    targets: { 'live60s.payloadMBPerDay': 1.5, 'backlog10min.bytesPerSample': 2 },
    table: table(sizes, speeds),
    notes: [
      `one day of one till: ${TILL_SERIES} series each 15 s, batches with their envelope, acknowledgements apart`,
      'interface: estimated, both ways, acknowledgements included: MQTT at QoS 1, TLS 1.3 records, TCP and IPv4',
      'remote write: 1.0, snappy, payload of the HTTP body only; OTLP: protobuf, gzip 6, the same',
      'every body of ours was decoded again and compared with its samples',
    ],
  });
}
