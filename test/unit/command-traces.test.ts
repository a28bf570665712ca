import { describe, expect, it } from 'vitest';
import { openCommands } from '../../broker/commands/commands.ts';
import { SILENCE_MS_MAX } from '../../broker/commands/queue.ts';
import { parsePublicKey, publicKeyText, verifyCommand } from '../../protocol/commands.ts';
import { fail, ok } from '../../protocol/result.ts';
import { parseTraceparent, traceOfUuid } from '../../protocol/traceparent.ts';
import { decodeTraces, type Span } from '../../protocol/traces.ts';
import { must, quiet, START_MS } from './fleet-rig.ts';
import { COMMANDS, open, restart } from './http-rig.ts';

/** A ledger that can refuse, and what it has taken. */
function ledger() {
  const taken: Span[] = [];
  const state = { full: false };
  return {
    taken,
    state,
    record: (_stream: 'traces', body: Uint8Array) => {
      if (state.full) return fail('the ledger is full');
      for (const { resource, spans } of must(decodeTraces(body))) {
        expect(resource['service.name']).toBe('tillwatch-broker');
        taken.push(...spans);
      }
      return ok(undefined);
    },
    named: (name: string): Span => {
      const found = taken.filter((span) => span.name === name);
      expect([name, found.length]).toEqual([name, 1]);
      return found[0] as Span;
    },
  };
}

async function begin(headers: Record<string, string> = {}) {
  const own = ledger();
  const rig = await open({}, own.record);
  const created = await rig.post(COMMANDS, { ...restart, operator: 'kim' }, headers);
  const { id, trace } = created.json<{ id: string; trace: string }>();
  const said = { commandId: id, reason: '', detail: {} };
  const say = (state: 'accepted' | 'rejected' | 'running' | 'succeeded', afterMs: number): void => {
    rig.terminals.results('lane-1', { ...said, state, timeMs: START_MS + afterMs });
    rig.fleet.drain();
  };
  return { ...rig, own, id, trace, say };
}

describe('the trace of a command', () => {
  it('goes from the request to the result, and its id stands in the answers', async () => {
    const { own, id, trace, get, time, commands, say, sent, privateKey } = await begin();
    expect(trace).toBe(traceOfUuid(id));
    expect((await get(`/api/v1/commands/${id}`)).json()).toMatchObject({ trace });
    time.pass(300);
    commands.terminalReady('lane-1');
    time.pass(200);
    say('accepted', 400);
    say('running', 450);
    time.pass(1_500);
    say('succeeded', 1_900);
    expect(own.taken.map(({ name }) => name)).toEqual([
      'request',
      'queue',
      'deliver',
      'result',
      'command restart',
    ]);
    const whole = own.named('command restart');
    expect(whole).toMatchObject({
      traceId: trace,
      kind: 'server',
      endMs: START_MS + 2_000,
      status: { code: 'ok' },
      attributes: {
        'tillwatch.command': id,
        'tillwatch.terminal': 'lane-1',
        'tillwatch.component': 'sale',
        'tillwatch.operator': 'kim',
        'tillwatch.state': 'succeeded',
      },
    });
    expect(whole.parentSpanId).toBeUndefined();
    expect(whole.events.map(({ name }) => name)).toEqual([
      'pending',
      'sent',
      'accepted',
      'running',
      'succeeded',
    ]);
    for (const part of own.taken.slice(0, -1)) {
      expect(part).toMatchObject({ traceId: trace, parentSpanId: whole.spanId });
      expect(part.startMs).toBeGreaterThanOrEqual(whole.startMs);
      expect(part.endMs).toBeLessThanOrEqual(whole.endMs);
    }
    expect(own.named('queue')).toMatchObject({ startMs: START_MS, endMs: START_MS + 300 });
    expect(own.named('deliver')).toMatchObject({
      startMs: START_MS + 300,
      endMs: START_MS + 400,
    });
    expect(own.named('result')).toMatchObject({
      startMs: START_MS + 1_900,
      endMs: START_MS + 2_000,
    });
    // What the terminal was told, under the broker's signature, makes its spans children of the whole.
    const { keyId, key } = must(parsePublicKey(publicKeyText(privateKey)));
    const command = must(
      verifyCommand(sent[0]?.bytes ?? new Uint8Array(), new Map([[keyId, key]])),
    );
    expect(parseTraceparent(command.traceparent)).toEqual({
      traceId: trace,
      spanId: whole.spanId,
      sampled: true,
    });
  });

  it("goes on with the caller's, and with none that is not valid", async () => {
    const callers = '4bf92f3577b34da6a3ce929d0e0e4736';
    const first = await begin({ traceparent: `00-${callers}-00f067aa0ba902b7-01` });
    expect(first.trace).toBe(callers);
    first.commands.terminalReady('lane-1');
    first.say('rejected', 100);
    expect(first.own.named('command restart')).toMatchObject({
      traceId: callers,
      parentSpanId: '00f067aa0ba902b7',
      status: { code: 'error', message: 'rejected' },
    });
    const second = await begin({ traceparent: `00-${callers}-0000000000000000-01` });
    expect(second.trace).toBe(traceOfUuid(second.id));
  });

  it('ends with an error when it expires, and is corrected beside that, not instead', async () => {
    const { own, time, commands, say } = await begin();
    commands.terminalReady('lane-1');
    say('accepted', 50);
    time.pass(24 * 3_600_000);
    const whole = own.named('command restart');
    expect(whole.status).toMatchObject({
      code: 'error',
      message: expect.stringMatching(/^unknown/),
    });
    expect(own.taken.map(({ name }) => name)).not.toContain('result');
    say('succeeded', SILENCE_MS_MAX);
    expect(own.named('late result')).toMatchObject({ parentSpanId: whole.spanId });
    own.named('command restart');
  });

  it('waits for a ledger that is full, and is recorded once', async () => {
    const { own, time, commands, say } = await begin();
    own.state.full = true;
    commands.terminalReady('lane-1');
    say('succeeded', 10);
    time.pass(5_000);
    expect(own.taken).toEqual([]);
    own.state.full = false;
    time.pass(5_000);
    own.named('command restart');
    expect(new Set(own.taken.map(({ spanId }) => spanId)).size).toBe(own.taken.length);
  });

  it('is recorded by the next broker when this one was killed before it could', async () => {
    const { own, time, commands, say, reopen, privateKey, audit, metrics } = await begin();
    own.state.full = true;
    commands.terminalReady('lane-1');
    say('succeeded', 10);
    commands.close();
    own.state.full = false;
    const start = (): ReturnType<typeof openCommands> =>
      openCommands({
        ...{ fleet: reopen(), key: privateKey, ...time, audit, metrics, log: quiet },
        ...{ send: () => undefined, record: own.record },
      });
    const next = start();
    time.pass(1_000);
    own.named('command restart');
    next.close();
    const third = start();
    time.pass(5_000);
    own.named('command restart');
    third.close();
  });
});
