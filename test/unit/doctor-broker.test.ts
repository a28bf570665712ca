// Each check of a broker, made to fail: a real fleet's folders, keys and databases, broken by hand. A broker that runs is
// looked at in test/long/doctor.test.ts.

import { appendFileSync, chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initBroker } from '../../broker/trust/init.ts';
import { type BrokerFacts, readBroker } from '../../cli/doctor/broker-facts.ts';
import type { Process } from '../../cli/doctor/look.ts';
import { brokerChecks } from '../../cli/verbs/doctor.ts';
import { look } from './doctor-rig.ts';

const DAY_MS = 86_400_000;
const top = mkdtempSync(join(tmpdir(), 'tw-sick-'));
const whole = join(top, 'whole');
const listener = createServer();
let port = 0;

beforeAll(async () => {
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  port = (listener.address() as AddressInfo).port;
  const made = await initBroker({
    ...{ configFile: join(whole, 'broker.yaml'), names: ['nowhere.invalid'] },
    ...{ dataDir: join(whole, 'data'), keysDir: join(whole, 'keys') },
    ...{ host: '127.0.0.1', mqttPort: port, httpPort: 1 },
  });
  if (!made.ok) throw new Error(made.reason);
});
afterAll(() => {
  listener.close();
  rmSync(top, { recursive: true, force: true });
});

type Broken = { readonly file: string; readonly at: (...names: string[]) => string };
type Row = {
  readonly check: string;
  readonly is: RegExp;
  readonly ill?: (broken: Broken) => void;
  readonly facts?: Partial<BrokerFacts>;
  readonly env?: NodeJS.ProcessEnv;
};

/** A broker that runs, as far as the process table says. */
const one: Process = {
  ...{ pid: process.pid, uid: 0, parent: 1, command: 'broker', capabilities: 0n },
  filesMax: 1_024,
};
const database = (path: string, sql: string): void => {
  rmSync(path, { force: true });
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
};
const json = (path: string, value: object): void => writeFileSync(path, JSON.stringify(value));

/** One that was made by itself so long ago, where one is wanted each `every`. */
function lastBackup({ file, at }: Broken, every: string, agoMs: number): void {
  appendFileSync(file, `\nbackup: { every: ${every}, to: /nas, passphraseFile: /pass }\n`);
  const atMs = Date.now() - agoMs;
  const good = { atMs, endedMs: atMs, file: 'b', bytes: 1, by: 'broker', without: [] };
  json(at('data', 'backup.json'), { made: 1, failed: 0, good: { ...good, verified: true } });
}

const REGISTRY = `
  create table cursor (id integer primary key, ledger_id integer);
  insert into cursor values (1, 7);
  create table dead_letters (id integer primary key); insert into dead_letters values (1);
  create table terminals (id text, presence text);
  insert into terminals values ('lane-1', 'online'), ('lane-2', 'lost'), ('lane-3', 'never');`;
const LEDGER = `
  create table batch (id integer primary key, received_ms integer);
  insert into batch values (7, 0), (8, ${Date.now() - DAY_MS}), (9, ${Date.now()});`;

const ROWS: Readonly<Record<string, Row>> = {
  'a file that is not there': {
    check: 'configuration',
    ill: ({ file }) => rmSync(file),
    is: /^fail .*ENOENT.* -> .*tillwatch broker init/,
  },
  'a mistake in it': {
    check: 'configuration',
    ill: ({ file }) => writeFileSync(file, 'mqtt: { prot: 1 }\n'),
    is: /^fail mqtt\.prot: .* -> .*check-config/,
  },
  'no broker': { check: 'broker', is: /^fail no broker runs on .* -> start it/ },
  'a broker that was killed': {
    check: 'broker',
    ill: ({ at }) => json(at('data', 'broker.json'), { pid: 4_194_305 }),
    is: /^fail .*killed or ended badly/,
  },
  'a port that is taken': { check: 'ports', is: /^fail MQTT on port \d+: held by process \d+ of / },
  'a port on which nobody listens': {
    check: 'ports',
    facts: { process: { ...one, pid: 1 } },
    is: /fail HTTP on port 1: nobody listens, though the broker runs -> /,
  },
  'a limit of open files': {
    check: 'files',
    facts: { process: one },
    is: /^warn 1024 open files .* -> .*LimitNOFILE=\d+/,
  },
  'a folder that anybody may write in': {
    check: 'folders',
    ill: ({ at }) => chmodSync(at('data'), 0o777),
    is: /^fail others may write in .*mode 777/,
  },
  'a folder that is gone': {
    check: 'folders',
    ill: ({ at }) => rmSync(at('keys'), { recursive: true }),
    is: /fail .*keys is not there/,
  },
  'a disk that is not there': {
    check: 'disk',
    ill: ({ at }) => rmSync(at('data'), { recursive: true }),
    is: /^fail .* is not there -> look whether its disk is mounted/,
  },
  'data of a newer version': {
    check: 'schema',
    ill: ({ at }) => json(at('data', 'schema.json'), { schema: 99 }),
    is: /^fail form 99, this program knows \d+ -> run the newer version/,
  },
  'a damaged database': {
    check: 'databases',
    ill: ({ at }) => writeFileSync(at('data', 'ledger.db'), 'no database at all'.repeat(500)),
    is: /fail ledger\.db: file is not a database -> stop the broker, keep a copy/,
  },
  'no backup': { check: 'backup', is: /^warn there is none.* -> make one/ },
  'a backup that failed': {
    check: 'backup',
    ill: ({ at }) =>
      json(at('data', 'backup.json'), {
        ...{ made: 1, failed: 1 },
        bad: { endedMs: Date.now(), file: 'b', by: 'broker', reason: 'no room' },
      }),
    is: /^fail the last one failed .*no room/,
  },
  'a backup that is old': {
    check: 'backup',
    ill: ({ at }) =>
      json(at('data', 'backup.json'), {
        ...{ made: 1, failed: 0 },
        good: {
          ...{ atMs: Date.now() - 30 * DAY_MS, endedMs: Date.now(), file: 'b', bytes: 1 },
          ...{ by: 'ada', without: [], verified: false },
        },
      }),
    is: /^warn .* old, .*\n.*warn it was not read again/,
  },
  'an hourly backup that has not come for a day': {
    check: 'backup',
    ill: (broken) => lastBackup(broken, '1h', DAY_MS),
    is: /^warn .* old, .*\bone each 60 min is wanted -> look why/,
  },
  'a monthly backup of eight days': {
    check: 'backup',
    ill: (broken) => lastBackup(broken, '31d', 8 * DAY_MS),
    is: /^ok 8 ?d/,
  },
  'a battery that is empty': { check: 'clock', facts: { nowMs: 0 }, is: /^fail it says 1970/ },
  'a key that others may read': {
    check: 'keys',
    ill: ({ at }) => chmodSync(at('keys', 'command-1.key'), 0o644),
    is: /^fail command-1\.key may be read by others \(mode 644\) -> chmod 600/,
  },
  'a passphrase that others may read': {
    check: 'keys',
    env: { TILLWATCH_PASSPHRASE_FILE: '/etc/passwd' },
    is: /^fail \/etc\/passwd .* -> /,
  },
  'certificates that are over': {
    check: 'certificates',
    facts: { nowMs: Date.now() + 20 * 365 * DAY_MS },
    is: /^fail authority 1: it ended \d+ days ago -> tillwatch broker rotate authority/,
  },
  'a name that leads nowhere': {
    check: 'names',
    facts: { process: one },
    is: /^fail nowhere\.invalid:\d+: (nobody knows this name|no name server answers)/,
  },
  'a broker that does not answer': {
    check: 'ready',
    facts: { process: one },
    is: /^fail it does not answer: nobody listens there.* -> look at the last lines/,
  },
  'a registry that is behind': {
    check: 'ledger',
    ill: ({ at }) => {
      database(at('data', 'registry.db'), REGISTRY);
      database(at('data', 'ledger.db'), LEDGER);
    },
    is: /^warn registry: 2 batches behind, the oldest came .* ago -> .*\n.*warn 1 batch could not be read/,
  },
  'terminals that are silent': {
    check: 'terminals',
    ill: ({ at }) => database(at('data', 'registry.db'), REGISTRY),
    is: /^ok 1 of 3 online.*\n.*warn 1 lost: lane-2 -> .*\n.*warn 1 never reported: lane-3/,
  },
};

let count = 0;
it.each(Object.entries(ROWS))(
  'tillwatch doctor finds %s on a broker',
  async (_, { check, ill, facts, env, is }) => {
    count += 1;
    const folder = join(top, `${count}`);
    cpSync(whole, folder, { recursive: true });
    const at = (...names: string[]): string => join(folder, ...names);
    for (const name of ['data', 'keys']) chmodSync(at(name), 0o700);
    const file = at('broker.yaml');
    // Its folders are named from the root: they are those of the copy now.
    const text = readBroker(file, {}).text;
    if (text.ok) writeFileSync(file, text.value.replaceAll(whole, folder));
    ill?.({ file, at });
    const found = await look(brokerChecks, check, { ...readBroker(file, env ?? {}), ...facts });
    expect(found.join('\n')).toMatch(is);
  },
);
