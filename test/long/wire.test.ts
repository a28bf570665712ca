// Today's broker against what every version of the agent has sent (test/wire/): each batch is committed and acknowledged,
// the registry, the views and the files of logs hold what was said in the words of that version, and nothing ends as a
// dead letter. Enrolments of before are answered, and a newer agent is borne.

import { createHash, randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeBatch, encodeBatch } from '../../protocol/wire.ts';
import { openFleetRig, tokenOf } from '../real/trust-rig.ts';
import { newerBatch, newerEvents, newerResults } from '../wire/future.ts';
import { MADE_EPOCH, MADE_MS, TERMINAL } from '../wire/made.ts';
import { type Recorded, recordings } from '../wire/recording.ts';
import { openReplay, type Replay } from '../wire/replay.ts';
import { batchesOf, must } from '../wire/told.ts';

const all = recordings();
const PATIENCE = { timeout: 10_000, interval: 50 };

let replay: Replay | undefined;
afterEach(async () => {
  await replay?.close();
  replay = undefined;
});

async function play({ terminal, endedMs, told, lines }: Recorded): Promise<Replay> {
  replay = await openReplay(terminal, endedMs);
  replay.asked(Object.keys(told.logs));
  const hello = lines.find((line) => line.what === 'connect');
  await replay.join(hello?.what === 'connect' ? hello.user : undefined);
  await replay.send(batchesOf(lines));
  return replay;
}

const eventsIn = (of: Replay) =>
  of.rows('SELECT kind, component, time_ms AS ms FROM events ORDER BY kind, ms, component');

describe.each(all.map((one) => [`${one.version} ${one.name}`, one] as const))('%s', (_, one) => {
  it('is taken, acknowledged and known afterwards', async () => {
    const { told, terminal } = one;
    const of = await play(one);
    expect(of.refused()).toEqual([]);
    const said = told.events.map(([, kind, component, ms]) => ({ kind, component, ms }));
    const order = (a: (typeof said)[number], b: (typeof said)[number]): number =>
      a.kind.localeCompare(b.kind) || a.ms - b.ms || a.component.localeCompare(b.component);
    await expect
      .poll(() => eventsIn(of).map((row) => ({ ...row })), PATIENCE)
      .toEqual(expect.arrayContaining(said.toSorted(order)));
    expect(of.deadLetters()).toEqual([]);

    const { samples, components } = await of.api(`/api/v1/terminals/${terminal}`);
    expect(samples).toBe(told.samples);
    const versions = Object.entries(components as Record<string, { version: string }>);
    expect(versions.length).toBeGreaterThan(0);
    const found = Object.values(components as { name: string; version: string }[]);
    expect(Object.fromEntries(found.map(({ name, version }) => [name, version]))).toMatchObject(
      told.components,
    );
    for (const [id, { bytes, sha256 }] of Object.entries(told.logs)) {
      const file = of.log(id);
      const digest = createHash('sha256').update(file).digest('hex');
      expect([file.length, digest]).toEqual([bytes, sha256]);
    }
    // Again, as after a lost acknowledgement: nothing is counted twice.
    await of.send(batchesOf(one.lines));
    const again = await of.api(`/api/v1/terminals/${terminal}`);
    expect(again['samples']).toBe(told.samples);
  });
});

it('a newer agent may add fields, kinds of events, members of an inventory and words', async () => {
  const made = all.find(({ name }) => name === 'made');
  replay = await openReplay(TERMINAL, MADE_MS + 60_000);
  await replay.join(undefined);
  const head = { epoch: MADE_EPOCH, createdMs: MADE_MS, clockOffsetMs: 0 };
  const news = encodeBatch({
    ...{ ...head, stream: 'events', seq: 2, encoding: 'identity', body: newerEvents() },
  });
  const results = encodeBatch({
    ...{ ...head, stream: 'results', seq: 2, encoding: 'identity' },
    body: newerResults(randomUUID(), randomUUID()),
  });
  const bytes = [
    ...batchesOf(made?.lines ?? []).map((one) => newerBatch(one.bytes)),
    ...[news, results],
  ];
  await replay.send(bytes.map((each) => ({ ...must(decodeBatch(each)), bytes: each })));
  const { rows, deadLetters, refused } = replay;
  await expect
    .poll(() => rows("SELECT fields FROM events WHERE kind = 'teleported'").length, PATIENCE)
    .toBe(1);
  expect([deadLetters(), refused()]).toEqual([[], []]);
  const { components } = await replay.api(`/api/v1/terminals/${TERMINAL}`);
  expect(Object.values(components as object)).toContainEqual(
    expect.objectContaining({ name: 'sale', version: '3.0.0', state: 'ready' }),
  );
  // What has a word that is not known here is kept as it came, and the rest of it counts.
  expect(Object.values(components as object)).toContainEqual(
    expect.objectContaining({ name: 'scale', version: '1.0.0' }),
  );
  const words = ['hibernating', 'gremlins', 'borrowed'];
  const kept = rows('SELECT fields FROM events').map(({ fields }) => String(fields));
  expect(words.map((word) => kept.filter((one) => one.includes(word)).length)).toEqual([1, 1, 1]);
});

it('a terminal of any version enrols and renews', async () => {
  const fleet = await openFleetRig();
  try {
    for (const { lines, terminal } of all) {
      let certificate = '';
      for (const line of lines) {
        if (line.what !== 'https' || line.status !== 200) continue;
        const isFirst = 'token' in line.asked;
        // The token and the certificate are of another fleet; the key that signed is the same.
        const { id, secret } = isFirst
          ? tokenOf(await fleet.token(terminal))
          : { id: '', secret: '' };
        const asked = isFirst
          ? { ...line.asked, token: { id, secret } }
          : { ...line.asked, certificate };
        const { status, body } = await fleet.ask(line.path, { body: asked });
        expect([line.path, status, Object.keys(body).sort()]).toEqual([
          ...[line.path, 200, Object.keys(line.answer).sort()],
        ]);
        certificate = String(body['certificate']);
      }
    }
  } finally {
    await fleet.close();
  }
});
