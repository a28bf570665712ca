// Kinds of errors over HTTP: what may be asked, and that the answer is what its description says.

import { expect, it } from 'vitest';
import { happened, START_MS } from './fleet-rig.ts';
import { open } from './http-rig.ts';
import { type Document, judgeBy } from './openapi-judge.ts';

const PATH = '/api/v1/errors';
const told = happened(START_MS, {
  kind: 'error_signature',
  component: 'sale',
  fields: {
    ...{ signature: '0123456789abcdef', pattern: 'no paper', level: 'error', version: '2.4.1' },
    ...{ sample: 'no paper', count: 3, total: 3, firstMs: START_MS, lastMs: START_MS },
    isNew: true,
  },
});

it('answers with kinds of errors as they are described', async () => {
  const { get, terminals, fleet } = await open();
  terminals.events('lane-1', told);
  fleet.drain();
  const answer = await get(`${PATH}?store=berlin&level=error`);
  expect(answer.json()).toMatchObject({
    errors: [{ pattern: 'no paper', count: 3, terminals: 1, stores: 1 }],
    ...{ total: 1, overBound: 0 },
  });
  const document = (await get('/api/v1/openapi.json')).json<Document>();
  const [type = ''] = String(answer.headers['content-type']).split(';');
  judgeBy(document)(`GET ${PATH}`, answer.statusCode, type, answer.json());
});

it.each([
  ['sinceMs=yesterday', 'sinceMs: write milliseconds'],
  ['untilMs=yesterday', 'untilMs: write milliseconds'],
  ['sinceMs=5&untilMs=4', 'untilMs: must not be before sinceMs'],
  ['sinceMs=0', 'at most 400 days'],
  ['level=info', 'level'],
  ['limit=0', 'limit'],
  ['what=ever', 'what'],
])('refuses %s with a sentence', async (query, sentence) => {
  const { get } = await open();
  const answer = await get(`${PATH}?${query}`);
  expect(answer.statusCode).toBe(400);
  expect(answer.json<{ detail: string }>().detail).toContain(sentence);
});
