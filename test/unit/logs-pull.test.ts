// From the journal to the broker's file: every byte once, in order, redacted, whatever gets lost or dies on
// the way; and nothing that is not right is let in.

import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packBody } from '../../protocol/body.ts';
import {
  decodeLogChunk,
  encodeLogChunk,
  epochOfRequest,
  type NewLogChunk,
} from '../../protocol/logs.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { LOGS_KEPT } from './http-rig.ts';
import { CARD, centre, NOON } from './logs-rig.ts';
import { blocksOf, commandFor, jobOf, journalOf, work } from './pull-rig.ts';

type View = Record<string, unknown> & { id: string; state: string; bytes: number; error: string };
type Centre = Awaited<ReturnType<typeof centre>>;

const LINES = 8_000;

async function asked(broker: Centre, change: object = {}): Promise<string> {
  const response = await broker.ask(change);
  expect(response.statusCode, response.body).toBe(202);
  return response.json<View>().id;
}
const viewOf = async (broker: Centre, id: string): Promise<View> =>
  (await broker.get(`/api/v1/logs/${id}`)).json<View>();

async function answer(broker: Centre, request: string, blocks: Parameters<typeof journalOf>[0]) {
  const { sent } = await work(jobOf(await journalOf(blocks), { request }));
  for (const bytes of sent) broker.give(bytes);
}

describe('an answer', () => {
  it('arrives record by record, without a card, and is what was sent to the byte', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const path = await journalOf(
      blocksOf('sale', LINES, (n) => (n % 10 === 0 ? `paid by ${CARD} at ${n}` : `line ${n}`), 500),
    );
    const made = await work(jobOf(path, { request, offsetMs: 5_000 }));
    expect(made.sent.length).toBeGreaterThan(1);
    for (const bytes of made.sent) broker.give(bytes);
    const stored = broker.stored(request);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({
      ...{ state: 'complete', complete: true, lines: LINES, bytes: stored.length },
      ...{ redactions: LINES / 10, missed: LINES / 10, sha256: made.end?.sha256 },
    });
    expect(stored.toString() === made.text).toBe(true);
    expect(stored.toString()).toMatch(
      /^2026-11-23T12:00:05.000Z E \[sale\] paid by \[PAN visa \.{4}1111\] at 0\n/,
    );
    expect(stored.includes(CARD)).toBe(false);
  });

  it('goes on behind what the registry knows after the broker died with more in the file', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const path = await journalOf(blocksOf('sale', LINES, undefined, 500));
    const { sent, text } = await work(jobOf(path, { request }));
    for (const [at, bytes] of sent.entries()) {
      broker.give(bytes);
      if (at !== 1) continue;
      broker.logs.close();
      const more = Buffer.alloc(8_000_000, 'never acknowledged');
      appendFileSync(join(broker.folder, `${request}.log`), more);
    }
    expect(broker.stored(request).toString() === text).toBe(true);
    expect((await viewOf(broker, request)).state).toBe('complete');
  });

  it('of no lines is complete and empty', async () => {
    const broker = await centre();
    const request = await asked(broker);
    await answer(broker, request, []);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'complete', bytes: 0, lines: 0 });
    expect((await broker.get(`/api/v1/logs/${request}/content`)).body).toBe('');
  });
});

describe('a chunk', () => {
  const chunkOf = (request: string, change: Partial<NewLogChunk> = {}): NewLogChunk => ({
    ...{ request, component: 'sale', offset: 0, body: Buffer.from('a line\n'), last: false },
    ...{ sha256: new Uint8Array(0), redactor: 'tillwatch-redact/1', lines: 0, redactions: 0 },
    ...{ truncated: false, fromMs: 0, ...change },
  });
  const batchOf = (chunk: NewLogChunk, seq = chunk.offset + 1): Uint8Array =>
    encodeBatch({
      ...{ epoch: epochOfRequest(chunk.request), stream: 'logs', seq, createdMs: NOON },
      ...{ clockOffsetMs: 0, ...packBody(encodeLogChunk(chunk)) },
    });

  it.each([
    ['without the mark of a redactor', { redactor: '' }, 'redactor'],
    ['with a mark that nobody knows', { redactor: 'none/1' }, 'redactor'],
    ['larger than what was asked for', { body: Buffer.alloc(2_001, 10) }, '2000 bytes'],
    ['with a digest that is not right', { last: true, sha256: Buffer.alloc(32) }, 'digests'],
  ] as const)('%s ends the request, and nothing of it is kept', async (_name, change, word) => {
    const broker = await centre();
    const request = await asked(broker, { bytesMax: 2_000 });
    const [ack] = broker.give(batchOf(chunkOf(request, change)));
    expect(ack?.streams).toEqual([]);
    expect(ack?.refused[0]?.reason).toContain(word);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({ state: 'failed', error: expect.stringContaining(word) });
    expect(broker.audit.list(10)[0]).toMatchObject({ action: 'logs.receive', outcome: 'failed' });
    const [again] = broker.give(batchOf(chunkOf(request)));
    expect(again?.refused[0]?.reason).toContain(word);
  });

  it('of another terminal, or for a request that nobody made, is refused and changes nothing', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const [foreign] = broker.give(batchOf(chunkOf(request)), 'lane-2');
    expect(foreign?.refused[0]?.reason).toContain('nobody asks this terminal');
    const unknown = commandFor().arguments.request;
    expect(broker.give(batchOf(chunkOf(unknown)))[0]?.refused).toHaveLength(1);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'waiting', bytes: 0 });
  });

  it('behind a hole is not acknowledged; one that overlaps adds only what is new', async () => {
    const broker = await centre();
    const request = await asked(broker);
    expect(broker.give(batchOf(chunkOf(request, { offset: 7 })))).toEqual([]);
    broker.give(batchOf(chunkOf(request)));
    const [ack] = broker.give(batchOf(chunkOf(request, { body: Buffer.from('a line\nb line\n') })));
    expect(ack?.streams).toEqual([{ stream: 'logs', ranges: [{ first: 1, last: 14 }] }]);
    expect(broker.stored(request).toString()).toBe('a line\nb line\n');
  });

  it('numbered wrongly or not readable ends the request', async () => {
    const broker = await centre();
    const request = await asked(broker);
    expect(broker.give(batchOf(chunkOf(request), 9))[0]?.refused[0]?.reason).toContain('numbered');
    expect(decodeLogChunk(Buffer.from('nonsense')).ok).toBe(false);
  });
});

describe('a request', () => {
  it('is refused with a sentence when it makes no sense', async () => {
    const broker = await centre();
    for (const [change, status] of [
      [{ components: ['nobody'] }, 422],
      [{ sinceMs: 5, untilMs: 4 }, 422],
      [{ reason: '' }, 422],
      [{ bytesMax: 1e12 }, 422],
    ] as const) {
      expect((await broker.ask(change)).statusCode, JSON.stringify(change)).toBe(status);
    }
    const nobody = { sinceMs: 1, untilMs: 2, reason: 'why not' };
    expect((await broker.post('/api/v1/terminals/x/logs', nobody)).statusCode).toBe(404);
    expect((await broker.get('/api/v1/logs/x')).statusCode).toBe(404);
    const command = { kind: 'logs', arguments: {}, reason: 'why not' };
    const direct = await broker.post('/api/v1/terminals/lane-1/commands', command);
    expect(direct.json()).toMatchObject({ status: 422, detail: expect.stringContaining('/logs') });
  });

  it('becomes a signed command that waits a day for its terminal', async () => {
    const broker = await centre();
    const request = await asked(broker);
    const view = await viewOf(broker, request);
    expect(view).toMatchObject({ state: 'waiting', connected: false, operator: 'api-token' });
    const command = (await broker.get(`/api/v1/commands/${view['command']}`)).json<View>();
    expect(command).toMatchObject({ kind: 'logs', arguments: { request }, state: 'pending' });
    expect(Number(view['expiresMs']) - Number(view['createdMs'])).toBe(24 * 3_600_000);
    broker.time.pass(25 * 3_600_000);
    expect(await viewOf(broker, request)).toMatchObject({ state: 'expired' });
    expect((await broker.get('/api/v1/logs')).json()).toMatchObject({
      requests: [{ id: request }],
    });
  });

  it('is kept among the newest, and its file goes with it', async () => {
    const broker = await centre();
    const first = await asked(broker);
    await answer(broker, first, blocksOf('sale', 10));
    expect(readFileSync(join(broker.folder, `${first}.log`)).length).toBeGreaterThan(100);
    for (let n = 0; n < LOGS_KEPT; n += 1) {
      const request = await asked(broker);
      await answer(broker, request, []);
      broker.terminals.results('lane-1', done((await viewOf(broker, request))['command']));
      broker.fleet.drain();
    }
    expect((await broker.get(`/api/v1/logs/${first}`)).statusCode).toBe(404);
    expect(() => readFileSync(join(broker.folder, `${first}.log`))).toThrow('ENOENT');
  });
});

const done = (commandId: unknown) => ({
  ...{ commandId: String(commandId), state: 'succeeded' as const, reason: '', timeMs: NOON },
  detail: {},
});
