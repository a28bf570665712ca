import { describe, expect, it } from 'vitest';
import { OPEN_PER_TERMINAL_MAX, openCommands } from '../../broker/commands/commands.ts';
import {
  COMMAND_EXPIRY_MS,
  parsePublicKey,
  publicKeyText,
  verifyCommand,
} from '../../protocol/commands.ts';
import { must, quiet, START_MS } from './fleet-rig.ts';
import { COMMANDS, inventory, open, restart } from './http-rig.ts';

const REASON = /^a reason of 3 to 500 characters is needed$/;

describe('a command over HTTP', () => {
  it('lives from the request to the result, and all of it is in the audit log', async () => {
    const { get, post, sent, privateKey, commands, fleet, terminals, audit } = await open();
    const answer = await post(COMMANDS, { ...restart, operator: 'kim' });
    expect([answer.statusCode, answer.json()]).toMatchObject([202, { state: 'pending' }]);
    const { id } = answer.json<{ id: string }>();
    expect(answer.headers['location']).toBe(`/api/v1/commands/${id}`);
    expect(sent).toEqual([]);

    commands.terminalReady('lane-2');
    expect(sent).toEqual([]);
    commands.terminalReady('lane-1');
    const { keyId, key } = must(parsePublicKey(publicKeyText(privateKey)));
    expect(sent.map(({ terminal }) => terminal)).toEqual(['lane-1']);
    const bytes = sent[0]?.bytes ?? new Uint8Array();
    expect(must(verifyCommand(bytes, new Map([[keyId, key]])))).toMatchObject({
      id,
      terminal: 'lane-1',
      kind: 'restart',
      arguments: { component: 'sale' },
      reason: 'till hangs',
      operator: 'kim',
      expiresMs: START_MS + COMMAND_EXPIRY_MS,
    });

    const said = { commandId: id, reason: '', detail: {} };
    // Another terminal cannot answer for it.
    terminals.results('lane-2', { ...said, state: 'failed', timeMs: START_MS });
    terminals.results('lane-1', { ...said, state: 'accepted', timeMs: START_MS + 1 });
    terminals.results('lane-1', { ...said, state: 'succeeded', timeMs: START_MS + 2 });
    fleet.drain();
    expect((await get(`/api/v1/commands/${id}`)).json()).toMatchObject({
      id,
      terminal: 'lane-1',
      state: 'succeeded',
      operator: 'kim',
      reason: 'till hangs',
      history: [
        { state: 'pending' },
        { state: 'sent' },
        { state: 'accepted', timeMs: START_MS + 1 },
        { state: 'succeeded' },
      ],
    });
    expect(audit.list(10).map(({ action, outcome }) => [action, outcome])).toEqual([
      ['command.restart.finish', 'succeeded'],
      ['command.restart.create', 'queued'],
    ]);
    expect(commands.countOpen()).toBe(0);
  });

  it('goes out at once to a terminal that is there, and again until it answers', async () => {
    const { post, sent, fleet, time } = await open();
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    expect((await post(COMMANDS, restart)).json()).toMatchObject({ state: 'sent' });
    time.pass(7_000);
    expect(sent).toHaveLength(3);
    fleet.sessionClosed('lane-1', 'lost');
    time.pass(60_000);
    expect(sent).toHaveLength(3);
    time.pass(COMMAND_EXPIRY_MS);
    expect(sent).toHaveLength(3);
  });

  it('expires in the queue when its terminal never comes', async () => {
    const { post, get, time, metrics } = await open();
    const { id } = (await post(COMMANDS, { ...restart, expiresMs: 5_000 })).json<{ id: string }>();
    time.pass(6_000);
    expect((await get(`/api/v1/commands/${id}`)).json()).toMatchObject({ state: 'expired' });
    expect(await metrics.registry.metrics()).toContain(
      'commands_finished_total{state="expired"} 1',
    );
  });

  it.each([
    ['no reason', { ...restart, reason: undefined }, 422, REASON],
    ['a short reason', { ...restart, reason: 'x' }, 422, REASON],
    ['a blank reason', { ...restart, reason: '      ' }, 422, REASON],
    ['a long reason', { ...restart, reason: 'x'.repeat(501) }, 422, REASON],
    [
      'a reason with an escape in it',
      { ...restart, reason: 'till \u001b[2J hangs' },
      422,
      /^a reason is one line/,
    ],
    ['a reason that is a number', { ...restart, reason: 12345 }, 422, /reason/],
    ['an unknown kind', { ...restart, kind: 'format-disk' }, 422, /not one of: restart/],
    ['a kind that objects have', { ...restart, kind: 'constructor' }, 422, /not one of/],
    ['an odd component', { ...restart, arguments: { component: '../sale' } }, 422, /component/],
    [
      'a component it has not',
      { ...restart, arguments: { component: 'printer' } },
      422,
      /it has sale, sync/,
    ],
    [
      'arguments too many',
      { ...restart, arguments: { component: 'sale', force: 1 } },
      422,
      /arguments/,
    ],
    ['arguments that are a list', { ...restart, arguments: [] }, 422, /arguments/],
    ['a field too many', { ...restart, terminal: 'lane-2' }, 422, /terminal/],
    ['an operator with a line break', { ...restart, operator: 'kim\nada' }, 422, /operator/],
    ['a time that is past', { ...restart, expiresMs: -5 }, 422, /expiresMs/],
    ['no JSON', '{"kind":', 400, /JSON|body/i],
    ['a poisoned prototype', '{"__proto__":{"x":1},"kind":"restart"}', 400, /JSON/],
    ['too much', { ...restart, reason: 'x'.repeat(70_000) }, 413, /large/],
  ])('with %s is refused with a sentence', async (_what, body, status, sentence) => {
    const { post, commands, audit, fleet, terminals } = await open();
    terminals.events('lane-1', inventory);
    fleet.drain();
    const answer = await post(COMMANDS, body);
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([
      status,
      expect.stringMatching(sentence),
    ]);
    expect(commands.countOpen()).toBe(0);
    expect(audit.list(1)[0]?.outcome).toBe(`refused ${status}`);
  });

  it('for a terminal that nobody knows is 404, and stands in the audit log', async () => {
    const { post, audit } = await open();
    const answer = await post('/api/v1/terminals/lane-9/commands', { ...restart, operator: 'kim' });
    expect(answer.statusCode).toBe(404);
    expect(audit.list(1)).toMatchObject([
      {
        operator: 'kim',
        action: 'command.restart.create',
        subject: 'lane-9',
        reason: 'till hangs',
      },
    ]);
  });

  it('is one too many when its terminal has enough that are not finished', async () => {
    const { post } = await open();
    for (let i = 0; i < OPEN_PER_TERMINAL_MAX; i += 1) await post(COMMANDS, restart);
    expect((await post(COMMANDS, restart)).statusCode).toBe(429);
    expect((await post('/api/v1/terminals/lane-2/commands', restart)).statusCode).toBe(202);
  });

  it('is still in the queue after the broker was killed', async () => {
    const { post, reopen, sent, privateKey, metrics, time, audit } = await open();
    const { id } = (await post(COMMANDS, restart)).json<{ id: string }>();
    const fleet = reopen();
    const again = openCommands({
      fleet,
      key: privateKey,
      ...time,
      audit,
      metrics,
      log: quiet,
      send: (terminal, bytes) => sent.push({ terminal, bytes }),
    });
    again.terminalReady('lane-1');
    expect([again.get(id)?.state, sent.length]).toEqual(['sent', 1]);
    again.close();
  });
});
