// Each check of a till, made to fail: what it says, and what it says to do. And what it says when all is well, so that a
// check which always complains would show.

import { chmodSync, rmSync, utimesSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { roomIn } from '../../cli/doctor/look.ts';
import type { Agent, TillFacts } from '../../cli/doctor/till-facts.ts';
import { node } from '../../cli/doctor/till-machine.ts';
import { BrokenTill, SALE } from './doctor-rig.ts';

const tills: BrokenTill[] = [];
afterEach(() => {
  for (const till of tills.splice(0)) till.close();
});
const at = (more: object = {}): BrokenTill => {
  const till = new BrokenTill(more);
  tills.push(till);
  return till;
};

const YEAR_MS = 365 * 86_400_000;
const OLD = new Date(Date.now() - 60_000);
const sale = (more: object) => ({ components: [{ name: 'sale', version: '1', ...more }] });
const asked = { name: 'sale', version: '1', command: [process.execPath] };

type Row = {
  readonly check: string;
  readonly is: RegExp;
  readonly config?: object;
  readonly ill?: (till: BrokenTill) => unknown;
  readonly facts?: Partial<TillFacts>;
  readonly env?: NodeJS.ProcessEnv;
};

/** An agent of another user, without any capability. */
const stranger: Agent = {
  kind: 'answers',
  value: { terminal: 'lane-1', agent: '0.1.0', pid: 1, upMs: 1, disk: 'normal', components: [] },
  process: { pid: 1, uid: 65_534, parent: 0, command: '', capabilities: 0n, filesMax: 1_024 },
};

const ROWS: Readonly<Record<string, Row>> = {
  'a file that is not there': {
    check: 'configuration',
    ill: (till) => rmSync(till.file),
    is: /^fail .*ENOENT.* -> .*tillwatch join/,
  },
  'a mistake in it': {
    check: 'configuration',
    config: { mode: 'sleepy' },
    is: /^fail mode: .*line \d+.* -> .*tillwatch check-config/,
  },
  'a damaged document': {
    check: 'document',
    ill: (till) => till.write('data/configuration/good.yaml', '# {"name":"x"}\nmode: act\n'),
    is: /^fail good\.yaml .*damaged -> apply it again/,
  },
  'neither components nor a document': {
    check: 'document',
    config: { components: undefined },
    is: /^warn .*nothing is watched/,
  },
  'a folder that anybody may write in': {
    check: 'folders',
    ill: (till) => chmodSync(till.path('data'), 0o777),
    is: /^fail data: others .*mode 777.* -> chmod go-w /,
  },
  'a folder that is gone': {
    check: 'folders',
    ill: (till) => rmSync(till.path('run'), { recursive: true }),
    is: /^warn run: .*not there \(ENOENT\) -> start the agent/m,
  },
  'a folder of somebody else': {
    check: 'folders',
    facts: { agent: stranger },
    is: /^fail data: .*the agent runs as nobody -> chown -R nobody: /,
  },
  'a run directory on no memory': {
    check: 'run-dir',
    config: { runDir: '/proc' },
    is: /^warn \/proc is on a disk/,
  },
  'a battery that is empty': {
    check: 'clock',
    facts: { nowMs: 0 },
    is: /^fail it says 1970-01-01 .* -> set it/,
  },
  'a clock that is an hour off': {
    check: 'clock',
    ill: (till) => till.answers({ clock: { known: true, offsetMs: 3_600_000 } }),
    is: /^warn .* behind the broker; .* -> set it/,
  },
  'a zone without a name': {
    check: 'time-zone',
    env: { TZ: '<+03>-3' },
    is: /^warn this machine does not say/,
  },
  'nobody who would start it again': {
    check: 'watcher',
    ill: (till) => till.answers({}),
    is: /^(warn nobody would start|ok systemd)/,
  },
  'no agent': { check: 'agent', is: /^fail no agent answers .*it does not run -> start it/ },
  'an agent that was killed': {
    check: 'agent',
    ill: (till) => till.write('run/control.sock', ''),
    is: /^fail no agent answers .*ECONNREFUSED/,
  },
  'an agent that does not sweep': {
    check: 'agent',
    ill: async (till) => {
      await till.answers({});
      till.write('run/sweep', '1');
      utimesSync(till.path('run/sweep'), OLD, OLD);
    },
    is: /^fail .*has not looked at its components for .* -> systemctl restart/,
  },
  'an agent of an older version': {
    check: 'agent',
    ill: (till) => till.answers({ agent: '0.0.9' }),
    is: /^warn version 0\.0\.9.*installed is /,
  },
  'an agent of another terminal': {
    check: 'agent',
    ill: (till) => till.answers({ terminal: 'lane-2' }),
    is: /fail it is lane-2, the configuration says lane-1/,
  },
  'a till that is held': {
    check: 'agent',
    ill: (till) =>
      till.answers({ hold: { by: 'kim', reason: 'paper', leftMs: 60_000, untilMs: 0 } }),
    is: /warn it is held by kim .*: paper -> tillwatch hold --release/,
  },
  'a component in quarantine': {
    check: 'components',
    ill: (till) =>
      till.answers({ components: [{ ...SALE, state: 'quarantined', reason: 'exit code 1' }] }),
    is: /^fail sale: quarantined .*exit code 1; a human is needed -> /,
  },
  'a component that somebody stopped': {
    check: 'components',
    ill: (till) =>
      till.answers({
        components: [{ ...SALE, state: 'stopped', stopped: { by: 'ada', reason: 'x' } }],
      }),
    is: /^warn sale: stopped .* -> tillwatch start /,
  },
  'a component that comes and goes': {
    check: 'components',
    ill: (till) => till.answers({ components: [{ ...SALE, state: 'backoff' }] }),
    is: /^warn sale: backoff/,
  },
  'a program that is not installed': {
    check: 'hooks',
    config: sale({ command: ['/opt/pos/sale'] }),
    is: /^fail component sale: \/opt\/pos\/sale: it is not there -> install it/,
  },
  'a hook that may not be executed': {
    check: 'hooks',
    config: { components: [{ ...asked, reset: { command: ['/etc/passwd'] } }] },
    is: /^fail reset of sale: \/etc\/passwd: it may not be executed/,
  },
  'an agent that may not change users': {
    check: 'user',
    config: { components: [{ ...asked, user: 'root' }] },
    facts: { agent: stranger },
    is: /^fail .*without CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID.*: sale cannot run as another user/,
  },
  'a helper that does not listen': {
    check: 'helper',
    config: { ladder: { reboot: { command: ['/x/tillwatch-helper-call', 'reboot'] } } },
    env: { TILLWATCH_HELPER_SOCKET: '/nowhere/helper.sock' },
    is: /^fail .*none listens at \/nowhere\/helper\.sock -> systemctl enable --now/,
  },
  'no certificate': {
    check: 'identity',
    config: { broker: {} },
    is: /^fail lane-1 is not enrolled -> get a token/,
  },
  'an identity that is damaged': {
    check: 'identity',
    config: { broker: {} },
    ill: (till) => till.write('data/identity/identity.json', '{'),
    is: /^fail .*identity\.json/,
  },
  'an identity that others may read': {
    check: 'folders',
    ill: (till) => {
      till.write('data/identity/identity.json', '{}');
      chmodSync(till.path('data/identity'), 0o755);
    },
    is: /fail identity: .*open to others \(mode 755\) -> chmod 700/,
  },
  'a broker that does not listen': {
    check: 'way',
    is: /fail broker 127\.0\.0\.1:1: nobody listens there.*ECONNREFUSED/,
  },
  'a name that nobody knows': {
    check: 'way',
    config: { broker: { addresses: ['mqtts://nowhere.invalid'] } },
    is: /fail name nowhere\.invalid: (nobody knows this name|no name server answers)/,
  },
  'a proxy that is not there': {
    check: 'way',
    config: {
      broker: { addresses: ['mqtts://10.0.0.1'], proxy: 'http://127.0.0.1:1' },
    },
    is: /fail proxy 127\.0\.0\.1:1: nobody listens there/,
  },
  'a broker that refuses it': {
    check: 'admitted',
    ill: (till) =>
      till.answers({
        link: { connected: false, connects: 0, reason: 'Connection refused: Not authorized' },
      }),
    is: /^fail .*Not authorized -> ask the centre/,
  },
  'an outbox that is no outbox': {
    check: 'outbox',
    ill: (till) => till.write('data/outbox.db', 'not a database at all'.repeat(100)),
    is: /^fail .*outbox\.db cannot be read/,
  },
  'an outbox in memory': {
    check: 'outbox',
    ill: (till) =>
      till.answers({
        outbox: {
          ...{ durable: false, bytes: 0, batches: 3, waiting: 1 },
          ...{ dropped: 7, deadLetters: 2, damaged: 1 },
        },
      }),
    is: /refused 2 for good.*\n.*fail it is in memory only.*\n.*7 were given up.*\n.*set aside/,
  },
};

describe('tillwatch doctor finds on a till', () => {
  it.each(Object.entries(ROWS))('%s', async (_, { check, config, ill, facts, env, is }) => {
    const till = at(config);
    await ill?.(till);
    const found = (await till.find(check, facts, env)).join('\n');
    expect(found).toMatch(is);
    // Whatever is not well says what to do.
    for (const line of found.split('\n'))
      if (/^(fail|warn)/.test(line)) expect(line).toContain(' -> ');
  });

  it('an old Node, and a disk that is full', async () => {
    expect(node('22.20.0')).toMatchObject([{ state: 'fail' }]);
    expect(node('24.12.0')).toMatchObject([{ state: 'ok' }]);
    const all = Number.POSITIVE_INFINITY;
    const { folder } = at();
    const states = await Promise.all([
      roomIn('data', folder, { lowBytes: all, floorBytes: all }),
      roomIn('data', folder, { lowBytes: all, floorBytes: 0 }),
      roomIn('data', folder, { lowBytes: 0, floorBytes: 0 }),
      roomIn('data', `${folder}/none`, { lowBytes: 0, floorBytes: 0 }),
    ]);
    expect(states.map(({ state }) => state)).toEqual(['fail', 'warn', 'ok', 'skipped']);
  });

  it('what waits in the outbox of an agent that does not run, and changes nothing in it', async () => {
    const till = at();
    const db = new DatabaseSync(till.path('data/outbox.db'));
    for (const name of ['batch', 'event', 'result', 'dead_letter']) {
      db.exec(`create table ${name} (id integer primary key)`);
    }
    db.exec('create table sample (id integer primary key, time_ms integer)');
    db.exec(`insert into batch values (1), (2); insert into dead_letter values (1);
      insert into sample values (1, ${Date.now() - YEAR_MS})`);
    db.close();
    const found = await till.find('outbox');
    expect(found[0]).toMatch(/^ok 2 sealed and 1 unsealed wait, the oldest sample is \d+ ?\w+ old/);
    expect(found[1]).toMatch(/^warn the broker has refused 1/);
  });
});

it('tillwatch doctor finds nothing wrong with a till that is well', async () => {
  const till = at();
  await till.answers({
    link: { connected: true, connects: 1, reason: '' },
    clock: { known: true, offsetMs: 20 },
  });
  for (const check of ['configuration', 'folders', 'clock', 'agent', 'components', 'hooks']) {
    for (const line of await till.find(check)) expect(line).toMatch(/^ok /);
  }
  expect(await till.find('admitted')).toEqual(['ok the agent is connected to its broker']);
  // Made with the first line that is printed.
  rmSync(till.path('data/logs'), { recursive: true });
  expect((await till.find('folders')).filter((line) => !line.startsWith('ok '))).toEqual([]);
});
