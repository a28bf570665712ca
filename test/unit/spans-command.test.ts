import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openCommands } from '../../agent/commands.ts';
import { commandSpan } from '../../agent/telemetry/spans-command.ts';
import { type Command, keyIdOf, publicKeyText, signCommand } from '../../protocol/commands.ts';
import { ok } from '../../protocol/result.ts';
import type { Span } from '../../protocol/traces.ts';

const pair = generateKeyPairSync('ed25519');
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const command = (change: object = {}): Command => ({
  ...{ id: randomUUID(), kind: 'restart', arguments: { component: 'sale' }, terminal: 'lane-1' },
  ...{ issuedMs: 1_000, expiresMs: 301_000, operator: 'kim', reason: 'printer swapped' },
  ...{ traceparent: `00-${traceId}-${parent}-01`, ...change },
});

/** An agent whose disk takes 5 ms for each write and outlives it. */
function till(disk: { text?: string } = {}) {
  const clock = { nowMs: 2_000 };
  const spans: Span[] = [];
  const open = () =>
    openCommands({
      ...{ path: 'commands.json', terminal: 'lane-1', components: new Set(['sale']) },
      keys: new Map([[keyIdOf(publicKeyText(pair.publicKey)), pair.publicKey]]),
      nowMs: () => clock.nowMs,
      isTimeKnown: () => true,
      read: () => disk.text,
      write: (_path, text) => {
        clock.nowMs += 5;
        disk.text = text;
        return ok(undefined);
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      addResult: () => undefined,
      run: () => undefined,
      trace: (before, entry, sinceMs) => {
        const span = commandSpan(before, entry, sinceMs, clock.nowMs);
        if (span !== undefined) spans.push(span);
      },
    });
  return { clock, spans, open, commands: open() };
}
const signed = (given: Command): Uint8Array => signCommand(given, pair.privateKey);

describe("the terminal's part of a command's trace", () => {
  it('is receiving and executing, as children of what the signed command names', () => {
    const { clock, commands, spans } = till();
    const asked = command();
    commands.receive(signed(asked));
    clock.nowMs = 4_000;
    commands.done(asked.id, true, 'ready again');
    expect(spans).toMatchObject([
      { name: 'receive', startMs: 2_000, endMs: 2_005, status: { code: 'ok' } },
      { name: 'execute', startMs: 2_005, endMs: 4_000, status: { code: 'ok' } },
    ]);
    for (const span of spans) {
      expect(span).toMatchObject({ traceId, parentSpanId: parent });
      expect(span.attributes).toMatchObject({
        'tillwatch.command': asked.id,
        'tillwatch.command.kind': 'restart',
      });
    }
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(2);
  });

  it('is told once however often the command comes', () => {
    const { commands, spans } = till();
    const asked = signed(command());
    for (let copy = 0; copy < 3; copy += 1) commands.receive(asked);
    expect(spans.map(({ name }) => name)).toEqual(['receive']);
  });

  it('ends with an error when it is rejected, comes too late or fails', () => {
    const { commands, spans } = till();
    commands.receive(signed(command({ arguments: { component: 'nobody' } })));
    commands.receive(signed(command({ expiresMs: 1_500 })));
    const asked = command();
    commands.receive(signed(asked));
    commands.done(asked.id, false, 'it did not come back');
    expect(spans.map(({ status }) => status?.message)).toEqual([
      'rejected: no component is called nobody here',
      'expired: came after its expiry',
      undefined,
      'failed: it did not come back',
    ]);
  });

  it('is ended by the next agent when this one was killed, under the same ids', () => {
    const { clock, commands, spans, open } = till();
    commands.receive(signed(command()));
    clock.nowMs = 9_000;
    open();
    expect(spans.at(-1)).toMatchObject({
      ...{ name: 'execute', traceId, parentSpanId: parent, startMs: 2_005, endMs: 9_000 },
      status: { code: 'error', message: expect.stringMatching(/^unknown/) },
    });
  });

  it('is none for a command of a broker that makes no traces', () => {
    const { commands, spans } = till();
    commands.receive(signed(command({ traceparent: '' })));
    commands.receive(signed(command({ traceparent: 'nonsense' })));
    expect(spans).toEqual([]);
  });
});
