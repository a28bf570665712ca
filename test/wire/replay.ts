// Today's broker, fed with what an agent of any version has sent: in plain text, because what is in a batch does not
// depend on who carried it, and at the time at which it was recorded, because a broker judges what comes from the
// future. Requests for logs that the recording answers are put into its registry as if they had been asked for here.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startBroker } from '../../broker/broker.ts';
import { loadConfig } from '../../broker/config.ts';
import type { Database } from '../../broker/fleet/database.ts';
import type { LogRecord } from '../../broker/logs/model.ts';
import { openLogStore } from '../../broker/logs/store.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeLogChunk, lastSeqOf } from '../../protocol/logs.ts';
import { ackTopic, upTopic } from '../../protocol/topics.ts';
import type { Ack, Batch, Refusal, Stream } from '../../protocol/wire.ts';
import { until } from '../real/front-rig.ts';
import { connectPacket, dial, publishPacket, subscribePacket } from '../real/trust-client.ts';
import { must } from './told.ts';

export type ToSend = Batch & { readonly bytes: Uint8Array };
type Row = Readonly<Record<string, unknown>>;

/** Up to which number a batch counts as acknowledged: a chunk of logs stands for its bytes. */
function lastOf(batch: Batch): number {
  if (batch.stream !== 'logs') return batch.seq;
  return lastSeqOf(must(decodeLogChunk(must(unpackBody(batch)))));
}

const isNamed = (acks: readonly Ack[], batch: Batch): boolean => {
  const last = lastOf(batch);
  // A chunk without bytes tells how far a search is: nothing is acknowledged by it.
  if (last < batch.seq) return true;
  return acks.some(
    ({ epoch, streams }) =>
      Buffer.from(epoch).equals(batch.epoch) &&
      streams.some(
        ({ stream, ranges }) =>
          stream === batch.stream &&
          ranges.some((range) => range.first <= batch.seq && last <= range.last),
      ),
  );
};

const askedLogs = (terminal: string, id: string, nowMs: number): LogRecord => ({
  ...{ id, terminal, command: '', operator: 'ada', reason: 'a recording', components: [] },
  ...{ sinceMs: 0, untilMs: nowMs, bytesMax: 5_000_000, createdMs: nowMs, expiresMs: nowMs * 2 },
  ...{ state: 'open', what: 'lines', bytes: 0, lines: 0, error: '', changedMs: nowMs },
  ...{ redactor: '', sha256: '', redactions: 0, truncated: false, fromMs: 0 },
});

export type Replay = Awaited<ReturnType<typeof openReplay>>;

/** @param atMs what time it is for the broker when it starts. */
export async function openReplay(terminal: string, atMs: number) {
  const dir = mkdtempSync(join(tmpdir(), 'tw-wire-'));
  const text = `dataDir: data
plainText: true
mqtt: { port: 0 }
http: { port: 0 }
terminals: [{ id: ${terminal}, store: store-1 }]
`;
  const loaded = loadConfig(text, dir);
  if (!loaded.ok) throw new Error('the configuration is wrong');
  const startMs = performance.now();
  const clock = {
    monotonicMs: () => performance.now(),
    wallMs: () => Math.round(atMs + performance.now() - startMs),
  };
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const broker = must(await startBroker(loaded.config, { clock, log: quiet }));
  const db = new DatabaseSync(join(dir, 'data', 'registry.db'));
  const authorization = `Bearer ${readFileSync(join(dir, 'data', 'api-token'), 'utf8').trim()}`;
  const client = await dial({ port: broker.mqttPort, plain: true });
  const rows = (sql: string, ...values: string[]): readonly Row[] => db.prepare(sql).all(...values);
  return {
    client,
    /** Of the registry's file. */
    rows,
    deadLetters: () => rows('SELECT stream, class, reason FROM dead_letters'),
    refused: (): readonly Refusal[] => client.acks().flatMap(({ refused }) => refused),
    asked: (ids: readonly string[]): void => {
      const store = openLogStore({ db } as Database);
      for (const id of ids) store.save(askedLogs(terminal, id, clock.wallMs()));
    },
    log: (id: string): Buffer => readFileSync(join(dir, 'data', 'logs', `${id}.log`)),
    api: async (path: string): Promise<Row> => {
      const answer = await fetch(`${broker.url}${path}`, { headers: { authorization } });
      const isJson = String(answer.headers.get('content-type')).includes('json');
      return isJson ? ((await answer.json()) as Row) : { text: await answer.text() };
    },
    join: async (user: string | undefined): Promise<void> => {
      const hello = user === undefined ? {} : { username: user };
      client.send(connectPacket(terminal, undefined, hello));
      await client.next('connack');
      client.send(subscribePacket(terminal, ackTopic(terminal)));
      await client.next('suback');
    },
    /** @returns when all of them are acknowledged by name. */
    send: async (batches: readonly ToSend[]): Promise<void> => {
      for (const [at, batch] of batches.entries()) {
        const topic = upTopic(terminal, batch.stream as Stream);
        client.send(publishPacket(terminal, batch.bytes, topic, at + 10));
      }
      await until(
        'every batch is acknowledged',
        () => batches.every((batch) => isNamed(client.acks(), batch)),
        10_000,
      );
    },
    close: async (): Promise<void> => {
      client.end();
      db.close();
      await broker.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
