// Today's agent against what every version has said over the wire (test/wire/): acknowledgements go through the real
// link, commands through the real office with the keys that were recorded, answers to enrolment through the schema that
// the agent reads them with. And against what a newer broker may say one day.

import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { openCommands } from '../../agent/commands.ts';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers } from '../../agent/link/session.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import manifest from '../../package.json' with { type: 'json' };
import { type CommandResult, publicKeyText, verifyCommand } from '../../protocol/commands.ts';
import { enrolledSchema, enrolRequestSchema } from '../../protocol/enrolment.ts';
import { parseHello } from '../../protocol/hello.ts';
import { ok } from '../../protocol/result.ts';
import { type Ack, decodeAck, encodeAck } from '../../protocol/wire.ts';
import { newerCommand, withUnknown } from '../wire/future.ts';
import { MADE_EPOCH, MADE_MS } from '../wire/made.ts';
import { COMMAND, fromBase64, type Line, recordings, versions } from '../wire/recording.ts';
import { keysOf, must } from '../wire/told.ts';
import { quietLog } from './outbox-rig.ts';

const all = recordings();
const dataOf = (lines: readonly Line[], what: 'ack' | 'command'): Uint8Array[] =>
  lines.flatMap((line) => (line.what === what ? [fromBase64(line.data)] : []));

/** A link whose broker is played, and what it hands on. */
function listen() {
  const acks: Ack[] = [];
  const time = { known: () => true, nowMs: () => MADE_MS, offsetMs: () => 0 };
  const outbox = {
    ...{ time, onWork: () => {}, resendAll: () => {}, takeBatches: () => [], inFlight: () => 0 },
    ...{ urgent: () => 0, setWishedSendMs: () => {} },
    acknowledge: (ack: Ack) => {
      acks.push(ack);
      return { acknowledged: 0, refused: 0, foreign: false };
    },
  } as unknown as Outbox;
  let handlers: SessionHandlers | undefined;
  const now: (() => void)[] = [];
  const link = startLink({
    ...{ terminal: 'lane-1', broker: { host: '127.0.0.1', port: 1 }, outbox, log: quietLog() },
    clock: { monotonicMs: () => 0, wallMs: () => MADE_MS } as never,
    timers: {
      after: (_, run) => {
        now.push(run);
        return () => {};
      },
      every: () => () => {},
    },
    onCommand: () => {},
    openSession: (_, given) => {
      handlers = given;
      return { publish: () => {}, destroy: () => {}, leave: () => Promise.resolve() };
    },
  });
  now.shift()?.();
  handlers?.onUp();
  return { acks, link, hear: (data: Uint8Array) => handlers?.onAck(data) };
}

/** The office of one till, on which everything can be done that is asked. */
function till(terminal: string, commandKeys: readonly string[]) {
  let [nowMs, text] = [MADE_MS, undefined as string | undefined];
  const ran: (readonly [string, string])[] = [];
  const results: CommandResult[] = [];
  const commands = openCommands({
    ...{ path: 'commands.json', terminal, keys: keysOf(commandKeys), nowMs: () => nowMs },
    ...{ components: new Set(['sale']), isTimeKnown: () => true, read: () => text },
    ...{ monotonicMs: () => 0, log: quietLog(), addResult: (one) => results.push(one) },
    uptime: () => ({ bootId: 'boot', bootMs: 9_000_000 }),
    write: (_, written) => {
      text = written;
      return ok(undefined);
    },
    run: ({ id, kind }) => {
      ran.push([id, kind]);
      commands.done(id, true, 'done');
    },
  });
  return { ran, results, commands, at: (ms: number) => (nowMs = ms) };
}

describe('a recording of the wire', () => {
  it('is there for this version', () => {
    const lacks = `version ${manifest.version} has no recording: make it with \`${COMMAND}\`, commit it`;
    expect(versions(), lacks).toContain(manifest.version);
  });

  describe.each(all.map((one) => [`${one.version} ${one.name}`, one] as const))('%s', (_, one) => {
    it('has acknowledgements that today’s link reads, each with all it says', () => {
      const data = dataOf(one.lines, 'ack');
      const { acks, link, hear } = listen();
      for (const each of data) hear(each);
      expect(link.stats()).toMatchObject({ acks: data.length, garbageAcks: 0 });
      expect(acks.map((ack) => Buffer.from(encodeAck(ack)).toString('hex'))).toEqual(
        data.map((each) => Buffer.from(encodeAck(must(decodeAck(each)))).toString('hex')),
      );
      const named = acks.flatMap(({ streams }) => streams.flatMap(({ ranges }) => ranges));
      expect(named.length).toBeGreaterThan(0);
    });

    it('has commands that today’s agent believes and obeys once', () => {
      const { ran, results, commands, at } = till(one.terminal, one.commandKeys);
      for (const data of dataOf(one.lines, 'command')) {
        at(must(verifyCommand(data, keysOf(one.commandKeys))).issuedMs + 1_000);
        commands.receive(data);
        commands.receive(data);
      }
      expect(ran).toEqual(one.told.commands);
      expect(results.filter(({ state }) => state === 'rejected')).toEqual([]);
      expect(commands.counts()).not.toHaveProperty('unreadable');
    });

    it('has enrolments that both sides still understand, and a hello', () => {
      for (const line of one.lines) {
        if (line.what === 'connect' && line.user !== undefined) {
          expect(parseHello(line.user)).toBeDefined();
        }
        if (line.what !== 'https') continue;
        if (line.status !== 200) {
          expect(line.answer['detail']).toMatch(/^\w/);
          continue;
        }
        const enrolled = v.parse(enrolledSchema, line.answer);
        expect(enrolled.terminal).toBe(one.terminal);
        expect(new X509Certificate(enrolled.certificate).subject).toContain(one.terminal);
        expect(keysOf(enrolled.trust.commandKeys).size).toBeGreaterThan(0);
        if ('token' in line.asked) v.parse(enrolRequestSchema, line.asked);
      }
    });
  });
});

describe('a newer broker', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const id = '5ff1f2f0-0f4e-4b6a-9a53-4f0a6c1d2eff';
  const terminal = 'lane-3';

  it('may add fields to acknowledgements and commands', () => {
    const { acks, link, hear } = listen();
    const found = all.find(({ name }) => name === 'made');
    const data = dataOf(found?.lines ?? [], 'ack');
    for (const each of data) hear(withUnknown(each));
    expect(link.stats()).toMatchObject({ acks: data.length, garbageAcks: 0 });
    expect(acks.at(-1)?.epoch).toEqual(MADE_EPOCH);

    const { ran, commands } = till(terminal, [publicKeyText(privateKey)]);
    const probe = { id, terminal, kind: 'probe', arguments: {} };
    commands.receive(newerCommand(probe, privateKey));
    expect(ran).toEqual([[id, 'probe']]);
  });

  it.each([
    ['a kind that is new', 'defrost', { to: 4 }],
    ['an argument that is new', 'probe', { component: 'sale', deeply: true }],
  ])('is told that this agent does not know %s', (_, kind, args) => {
    const { ran, results, commands } = till(terminal, [publicKeyText(privateKey)]);
    commands.receive(newerCommand({ id, terminal, kind, arguments: args }, privateKey));
    expect(ran).toEqual([]);
    expect(results).toMatchObject([{ commandId: id, state: 'rejected' }]);
    expect(results[0]?.reason).toContain('the agent of this terminal is of version');
    // Nobody is told anything for a command that is not ours.
    const other = { id, terminal: 'lane-9', kind, arguments: args };
    commands.receive(newerCommand(other, privateKey));
    expect(results.length).toBe(1);
    expect(commands.counts()).toMatchObject({ unreadable: 2 });
  });
});
