// Following the stream of events over real connections that break, in the middle of a message too.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type LiveItem, liveEvents } from '../../cli/live.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let answers: Answer[];
let places: (string | undefined)[];
beforeEach(async () => {
  answers = [];
  places = [];
  server = createServer((request, response) => {
    places.push(request.headers['last-event-id'] as string | undefined);
    const answer = answers.shift();
    if (answer === undefined) response.writeHead(401).end();
    else answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const status =
  (code: number): Answer =>
  (_, response) =>
    response.writeHead(code).end('{}');
/** Sends the texts one by one, then breaks the line. */
const stream =
  (...texts: string[]): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (): void => {
      const text = texts.shift();
      if (text === undefined) response.destroy();
      else response.write(text, () => setTimeout(send, 20));
    };
    send();
  };
const told = (id: number): string => `id: ${id}\ndata: {"id":${id}}\n\n`;

async function follow(...script: Answer[]): Promise<string[]> {
  answers = script;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const seen: string[] = [];
  const word = (item: LiveItem) => (item.kind === 'event' ? String(item.event.id) : item.kind);
  const operator = { url, token: 'secret' };
  const query = new URLSearchParams({ kind: 'gap' });
  const sleep = () => Promise.resolve();
  for await (const item of liveEvents({ operator, query, after: 4, sleep })) seen.push(word(item));
  return seen;
}

it('asks again from the last event that it saw, and tells none twice', async () => {
  const seen = await follow(
    stream('retry: 2000\nid: 4\n\n', told(5), told(6) + told(7).slice(0, 12)),
    stream(told(7).slice(0, 10), told(7).slice(10), ': still here\nid: 9\n\n'),
    stream(told(10)),
  );
  expect(seen).toEqual([
    '5',
    '6',
    'broken',
    'back',
    '7',
    'broken',
    'back',
    '10',
    'broken',
    'refused',
  ]);
  expect(places).toEqual(['4', '6', '9', '10']);
});

it('waits while the broker is full or stopping, and says once that it waits', async () => {
  const seen = await follow(stream(told(5)), status(503), status(503), stream(told(6)));
  expect(seen).toEqual(['5', 'broken', 'back', '6', 'broken', 'refused']);
});

it('begins anew with a broker that began anew', async () => {
  const seen = await follow(status(400), stream(told(1)));
  expect(seen).toEqual(['broken', 'back', '1', 'broken', 'refused']);
  expect(places).toEqual(['4', undefined, '1']);
});

it('tells that events were removed before they could be told', async () => {
  const seen = await follow(stream('event: gap\ndata: {"after":4,"oldest":9}\n\n', told(9)));
  expect(seen).toEqual(['gap', '9', 'broken', 'refused']);
});

it('ends when the broker is too old for it', async () => {
  expect(await follow(status(404))).toEqual(['refused']);
});
