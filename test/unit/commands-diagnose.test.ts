// A diagnosis from the request to the document: asked for in its own way, kept packed, read as JSON.

import { createHash, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { packBody } from '../../protocol/body.ts';
import { catalogue } from '../../protocol/catalogue.ts';
import { DIAGNOSIS_BYTES_MAX } from '../../protocol/limits.ts';
import { encodeLogChunk, epochOfRequest } from '../../protocol/logs.ts';
import { START_MS } from './fleet-rig.ts';
import { inventory, open } from './http-rig.ts';

const json = 'application/json';
const idOf = (answer: { json: <T>() => T }): string => answer.json<{ id: string }>().id;

async function begin() {
  const rig = await open();
  rig.terminals.events('lane-1', inventory);
  rig.fleet.drain();
  return rig;
}

/** One chunk that is the whole answer, as an agent would send it. */
function deliver(
  logs: Awaited<ReturnType<typeof open>>['logs'],
  request: string,
  body: Buffer,
): void {
  const sha256 = createHash('sha256').update(body).digest();
  const what = { component: '', redactor: 'tillwatch-redact/1', lines: 0, redactions: 0 };
  const chunk = {
    request,
    offset: 0,
    body,
    last: true,
    sha256,
    ...what,
    truncated: false,
    fromMs: 0,
  };
  const facts = { epoch: epochOfRequest(request), stream: 'logs' as const, seq: 1, createdMs: 1 };
  const batch = { ...facts, clockOffsetMs: 0, ...packBody(encodeLogChunk(chunk)) };
  expect(logs.take([{ terminal: 'lane-1', batch }])).toMatchObject([{ kind: 'held' }]);
}

describe('a diagnosis', () => {
  const DIAGNOSE = '/api/v1/terminals/lane-1/diagnose';

  it('is asked for in its own way and carried by a signed command', async () => {
    const { post, commands, get } = await begin();
    const answer = await post(DIAGNOSE, { reason: 'it is slow' });
    expect(answer.statusCode).toBe(202);
    const id = idOf(answer);
    const view = (await get(`/api/v1/logs/${id}`)).json<{ command: string }>();
    expect(view).toMatchObject({ what: 'diagnosis', bytesMax: DIAGNOSIS_BYTES_MAX });
    expect(commands.get(view.command)).toMatchObject({
      kind: 'diagnose',
      arguments: { request: id },
      expiresMs: START_MS + catalogue.diagnose.expiryMs,
    });
    expect((await get(`/api/v1/logs/${id}/content`)).statusCode).toBe(409);
    expect((await post('/api/v1/terminals/lane-9/diagnose', { reason: 'why' })).statusCode).toBe(
      404,
    );
    expect((await post(DIAGNOSE, {})).statusCode).toBe(422);
  });

  it('is kept packed and read as JSON; what is no document is refused', async () => {
    const { post, get, logs } = await begin();
    const id = idOf(await post(DIAGNOSE, { reason: 'it is slow' }));
    const document = { states: [{ component: 'sale', note: 'x'.repeat(100) }], id: randomUUID() };
    deliver(logs, id, gzipSync(JSON.stringify(document)));
    const answer = await get(`/api/v1/logs/${id}/content`);
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([
      200,
      expect.stringContaining(json),
    ]);
    expect(answer.json()).toEqual(document);

    const other = idOf(await post(DIAGNOSE, { reason: 'again' }));
    deliver(logs, other, Buffer.from('no gzip at all'));
    expect((await get(`/api/v1/logs/${other}/content`)).json()).toMatchObject({ status: 422 });
    const bomb = idOf(await post(DIAGNOSE, { reason: 'again' }));
    deliver(logs, bomb, gzipSync(Buffer.alloc(20 * DIAGNOSIS_BYTES_MAX)));
    expect((await get(`/api/v1/logs/${bomb}/content`)).json()).toMatchObject({ status: 422 });
  });
});
