// Simulated terminals that enrol: which ones a list of tokens makes, how many ask at once, and what they come back with.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Identities, terminalsOf, tokensIn } from '../../agent/simulated/identities.ts';
import { readOptions } from '../../agent/simulated/options.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { parseHello } from '../../protocol/hello.ts';
import { realTimers, until } from '../real/link-rig.ts';
import { Authority } from '../real/tls-rig.ts';
import { type Desk, folders, openDesk, tokenFor, trustOf, welcome } from './identity-agent-rig.ts';
import { need } from './outbox-rig.ts';

let fleet: Authority;
let desk: Desk | undefined;
const disk = folders();

beforeAll(async () => {
  fleet = await Authority.make();
});
afterEach(async () => {
  await desk?.close();
  desk = undefined;
  disk.remove();
});

describe('a list of tokens', () => {
  const token = (terminal: string) => tokenFor(fleet, ['https://b:2'], terminal);

  test('is read from a table, from JSON and from YAML alike', () => {
    const all = ['sim-01-lane-1', 'sim-01-lane-2'].map(token);
    const [a = '', b = ''] = all;
    for (const text of [
      `terminal,store,until,token\nsim-01-lane-1,s,2026,${a}\nsim-01-lane-2,s,2026,${b}\n`,
      JSON.stringify({ tokens: all.map((one) => ({ token: one })) }),
      `- terminal: sim-01-lane-1\n  token: ${a}\n- token: ${b}\n`,
    ]) {
      expect([...need(tokensIn(text)).values()]).toEqual(all);
    }
  });

  test('for a real till is refused, and so is one without a token', () => {
    expect(tokensIn(token('lane-1'))).toMatchObject({
      reason: expect.stringMatching(/may be a real till/),
    });
    expect(tokensIn('nothing').ok).toBe(false);
    expect(tokensIn('twe1.nonsense').ok).toBe(false);
  });

  test('says which terminals there are, in their stores', () => {
    const tokens = need(tokensIn([token('sim-02-lane-1'), token('sim-99-lane-7')].join('\n')));
    expect(terminalsOf(tokens, simulatedTerminals(10, 2))).toEqual([
      { id: 'sim-02-lane-1', store: 'sim-02' },
      { id: 'sim-99-lane-7', store: 'sim-99' },
    ]);
  });

  test('needs a folder for certificates', () => {
    const read = readOptions(['--tokens', 'x']);
    expect(read.ok ? '' : read.reason).toMatch(/say with --identities/);
    expect(need(readOptions(['--tokens', 'x', '--identities', 'y']))).toMatchObject({
      ...{ tokens: 'x', identities: 'y', areTerminalsSaid: false, isBrokerSaid: false },
    });
  });
});

test('they enrol a few at a time, are tried again, and are there for the next run', async () => {
  const at = await openDesk(fleet, await fleet.broker());
  desk = at;
  const trust = trustOf(fleet);
  let now = 0;
  let most = 0;
  let refused = 1;
  at.answer = async ({ body }) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    now -= 1;
    if (refused-- > 0) return { status: 429, body: { detail: 'later' } };
    return { status: 200, body: await welcome(fleet, body.csr, trust, at.url, body.terminal) };
  };
  const terminals = simulatedTerminals(12, 3);
  const tokens = new Map(terminals.map(({ id }) => [id, tokenFor(fleet, [at.url], id)]));
  const folder = disk.make();
  const options = { folder, tokens, terminals, timers: realTimers, random: () => 0 };
  const identities = new Identities({ ...options, broker: undefined });
  const ready: string[] = [];
  expect(identities.way('sim-01-lane-1').ok).toBe(false);
  identities.begin((id) => ready.push(id));
  await until('all are enrolled', () => identities.enrolled === 12);
  expect(ready.toSorted()).toEqual(terminals.map(({ id }) => id).toSorted());
  expect(most).toBeLessThanOrEqual(4);
  const way = need(identities.way('sim-01-lane-1'));
  expect(way.addresses).toEqual([{ host: 'localhost', port: 8_883 }]);
  expect(parseHello(way.username)?.machine).not.toBe(
    parseHello(need(identities.way('sim-01-lane-2')).username)?.machine,
  );
  expect(identities.keys('sim-01-lane-1').size).toBe(1);
  // The next run needs no tokens; one whose files are spoilt enrols again.
  writeFileSync(join(folder, 'sim-01-lane-1', 'key.pem'), 'x', { mode: 0o600 });
  const broker = { host: '::1', port: 1 };
  const again = new Identities({ ...options, tokens: new Map(), broker });
  expect(again.enrolled).toBe(11);
  expect(need(again.way('sim-02-lane-1')).addresses).toEqual([broker]);
});
