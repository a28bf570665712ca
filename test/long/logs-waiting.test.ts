// A request for logs of a terminal that is away waits with the broker, over its restarts, and is answered once; one that
// has expired never reaches anybody. A real broker, and a small fake terminal at the wire.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeResultBody } from '../../protocol/commands.ts';
import { encodeEventBody } from '../../protocol/events.ts';
import { bytes, decodeRaw, text } from '../../protocol/wire.ts';
import { type Bench, openBench, type Running } from '../real/broker-rig.ts';
import { connectTerminal, makeBatch, until } from '../real/front-rig.ts';
import { chunkOf, endOf, lineOf } from '../unit/logs-wire.ts';

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench.close());

type View = {
  readonly id: string;
  readonly state: string;
  readonly sha256: string;
  readonly incident?: string;
};

const call = async <T>({ url }: Running, path: string, body?: object): Promise<T> =>
  (await bench.api(url, path, body)) as T;

/** What was signed for the terminal, without the check that a real one makes. */
function commandOf(signed: Uint8Array) {
  const outer = decodeRaw('SignedCommand', signed, 65_536);
  const inner = outer.ok ? decodeRaw('Command', bytes(outer.value['command']), 65_536) : outer;
  const raw = inner.ok ? inner.value : {};
  const args = JSON.parse(text(raw['argumentsJson'])) as { request: string };
  return { id: text(raw['id']), kind: text(raw['kind']), request: args.request };
}

const WINDOW = { sinceMs: 1, untilMs: 2, reason: 'receipts are missing' };

async function restart(broker: Running, signal: 'SIGKILL' | 'SIGTERM'): Promise<Running> {
  broker.child.kill(signal);
  await broker.exit;
  return await bench.start();
}

/** One that began a minute ago. */
const INCIDENT = makeBatch(1, {
  body: encodeEventBody([
    {
      ...{ id: 'event-1', timeMs: Date.now() - 60_000, kind: 'incident_opened' },
      component: 'sale',
      fields: { incident: 'i-1', cause: 'crash', reason: 'gone', version: '1' },
    },
  ]),
});

async function tellIncident({ mqttPort }: Running): Promise<void> {
  const till = await connectTerminal(mqttPort, 'lane-2');
  await till.send(INCIDENT);
  await until('it is on disk', () => till.acked(1));
  await till.end();
}

/** As a terminal that has one line, which it sends twice. */
async function answer({ mqttPort }: Running, request: string): Promise<readonly string[]> {
  const till = await connectTerminal(mqttPort, 'lane-1');
  await until('the command is there', () => till.commands.length > 0);
  const command = commandOf(till.commands[0] as Uint8Array);
  expect(command).toMatchObject({ kind: 'logs', request });
  let seq = 0;
  const say = async (state: 'accepted' | 'succeeded'): Promise<void> => {
    seq += 1;
    const result = { commandId: command.id, state, reason: '', timeMs: Date.now(), detail: {} };
    const body = encodeResultBody([result]);
    await till.send(makeBatch(seq, { stream: 'results', body }), 'results');
  };
  await say('accepted');
  const line = lineOf('all is well');
  await till.send(chunkOf(request, 0, line), 'logs');
  await till.send(chunkOf(request, 0, line), 'logs');
  await till.send(endOf(request, line), 'logs');
  await until('its end is acknowledged', () => till.acked(line.length + 1, 'logs'));
  expect(till.acks.some(({ logCredits = 0 }) => logCredits > 0)).toBe(true);
  await say('succeeded');
  await until('its result is there', () => till.acked(2, 'results'));
  await till.end();
  return till.commands.map((one) => commandOf(one).request);
}

describe('requests for logs', () => {
  it('wait for their terminals over restarts of the broker, and are answered once', async () => {
    let broker = await bench.start();
    const ask = (change: object) =>
      call<View>(broker, 'terminals/lane-1/logs', { ...WINDOW, ...change });
    const asked = await ask({});
    const expired = await ask({ expiresMs: 1_000 });
    const view = (id: string) => call<View>(broker, `logs/${id}`);
    /** A broker looks once a second and reads behind what it acknowledges: later where the machine is busy. */
    const becomes = async (id: string, state: string): Promise<View> => {
      const endMs = performance.now() + 20_000;
      for (;;) {
        const now = await view(id);
        if (now.state === state || performance.now() > endMs) return now;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    const incidents = async () =>
      (await call<{ requests: View[] }>(broker, 'logs?what=incident')).requests;
    await tellIncident(broker);
    // Its last lines are asked for two seconds later, by the next one.
    broker = await restart(broker, 'SIGKILL');
    const endMs = performance.now() + 10_000;
    while ((await incidents()).length === 0 && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    broker = await restart(broker, 'SIGTERM');
    expect(await view(asked.id)).toMatchObject({ state: 'waiting', connected: false });
    expect(await becomes(expired.id, 'expired')).toMatchObject({ state: 'expired' });

    expect(await answer(broker, asked.id)).not.toContain(expired.id);
    expect(await becomes(asked.id, 'complete')).toMatchObject({ state: 'complete', lines: 1 });
    await tellIncident(broker);

    broker = await restart(broker, 'SIGKILL');
    const again = await connectTerminal(broker.mqttPort, 'lane-1');
    await again.send(makeBatch(1, { body: encodeEventBody([]) }));
    await until('it was heard', () => again.acked(1));
    expect(again.commands).toEqual([]);
    expect(await view(asked.id)).toMatchObject({ state: 'complete', lines: 1 });
    expect(await incidents()).toMatchObject([{ incident: 'i-1', operator: 'tillwatch' }]);
    await again.end();
  });
});
