// A small fake terminal that answers requests for logs, at the wire: whatever it says is the test's to choose. Behind it
// are the broker's API and its intake, without a socket.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIngest } from '../../broker/ingest/ingest.ts';
import { packBody } from '../../protocol/body.ts';
import type { CommandResult } from '../../protocol/commands.ts';
import { encodeLogChunk, type NewLogChunk } from '../../protocol/logs.ts';
import { ok } from '../../protocol/result.ts';
import { type Ack, decodeAck, encodeAck, encodeBatch } from '../../protocol/wire.ts';
import { stamp } from '../../redact/index.ts';
import { quiet, START_MS } from './fleet-rig.ts';
import { inventory, open } from './http-rig.ts';

export { START_MS };
export const CARD = '4111111111111111';
export const LINES = {
  components: ['sale'],
  sinceMs: 1,
  untilMs: 2,
  reason: 'receipts are missing',
};

export const lineOf = (text: string, n = 0, letter = 'I'): string =>
  `${new Date(START_MS + n * 1_000).toISOString()} ${letter} [sale] ${text}\n`;

export type Said = Partial<NewLogChunk> & { readonly seq?: number; readonly epoch?: Uint8Array };

/** One chunk as a batch. */
export function chunkOf(
  request: string,
  offset: number,
  body: string | Uint8Array,
  said: Said = {},
) {
  const {
    seq = offset + 1,
    epoch = Buffer.from(request.replaceAll('-', ''), 'hex'),
    ...more
  } = said;
  const chunk = {
    ...{ request, component: '', offset, body: Buffer.from(body), last: false },
    ...{ sha256: new Uint8Array(0), redactor: stamp(), lines: 0, redactions: 0 },
    ...{ truncated: false, fromMs: 0, ...more },
  };
  const packed = packBody(encodeLogChunk(chunk));
  return encodeBatch({
    epoch,
    stream: 'logs',
    seq,
    createdMs: START_MS,
    clockOffsetMs: 0,
    ...packed,
  });
}

export const sha256 = (of: string | Uint8Array): Buffer => createHash('sha256').update(of).digest();

/** The end of an answer, as a chunk without bytes. */
export const endOf = (request: string, all: string | Uint8Array, said: Said = {}) =>
  chunkOf(request, Buffer.byteLength(all), '', { last: true, sha256: sha256(all), ...said });

export type View = {
  readonly id: string;
  readonly state: string;
  readonly bytes: number;
  readonly error: string;
  readonly command: string;
  readonly [other: string]: unknown;
};

export async function wire() {
  const api = await open();
  const { fleet, terminals, time, logs, metrics } = api;
  for (const id of ['lane-1', 'lane-2']) terminals.events(id, inventory);
  fleet.drain();
  const outcomes: Ack[] = [];
  const ingest = createIngest({
    ledger: { append: () => ok([]), ranges: () => [] },
    ...{ logs, ...time, log: quiet, metrics, onNotice: () => {} },
    onOutcome: ({ epochHex, streams, refused }) => {
      const told = {
        epoch: Buffer.from(epochHex, 'hex'),
        streams,
        refused,
        brokerTimeMs: START_MS,
      };
      const rest = { paceBytesPerSecond: 0, ledgerGeneration: new Uint8Array(16), notice: '' };
      const ack = decodeAck(encodeAck({ ...told, ...rest }));
      if (ack.ok) outcomes.push(ack.value);
    },
  });
  const give = (bytes: Uint8Array, terminal = 'lane-1'): readonly Ack[] => {
    ingest.publish({ terminal, stream: 'logs' }, bytes, () => {});
    ingest.flush();
    return outcomes.splice(0);
  };
  const idOf = async (answer: ReturnType<typeof api.post>): Promise<string> =>
    (await answer).json<{ id: string }>().id;
  const view = async (id: string) => (await api.get(`/api/v1/logs/${id}`)).json<View>();
  return {
    ...api,
    give,
    /** @returns how far the broker says that it is, or why it wants none of it. */
    heard: (bytes: Uint8Array, terminal?: string): number | string | undefined => {
      const [ack] = give(bytes, terminal);
      return ack?.refused[0]?.reason ?? ack?.streams[0]?.ranges.at(-1)?.last;
    },
    view,
    ask: (change: object = {}) =>
      idOf(api.post('/api/v1/terminals/lane-1/logs', { ...LINES, ...change })),
    cancel: (id: string) => api.post(`/api/v1/logs/${id}/cancel`, { reason: 'seen enough' }),
    /** Its command, as the terminal reports it. */
    say: async (id: string, state: CommandResult['state'], reason = '') => {
      const { command } = await view(id);
      terminals.results('lane-1', {
        ...{ commandId: command, state, reason, timeMs: time.clock.wallMs(), detail: {} },
      });
      fleet.drain();
    },
    connect: () => fleet.sessionOpened('lane-1', { address: '', openedMs: 0 }),
    stored: (id: string): string => readFileSync(join(api.folder, `${id}.log`), 'utf8'),
    /** The newest entry of a kind in the audit log. */
    audited: (action: string) => api.audit.list(200).find((entry) => entry.action === action),
    counted: async (name: string): Promise<number> =>
      (await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value ?? 0,
  };
}
