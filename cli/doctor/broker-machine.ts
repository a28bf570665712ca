// The machine under the broker: its configuration, its process and ports, its folder with schema and databases, room for
// what it is to keep, backups and the clock.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SCHEMA } from '../../broker/backup/data-schema.ts';
import { readLast } from '../../broker/backup/last.ts';
import { type BrokerConfig, formatProblem } from '../../broker/config.ts';
import { age, tame } from '../screen.ts';
import type { BrokerFacts } from './broker-facts.ts';
import { bad, type Check, type Finding, good, skipped, UNKNOWN, warn } from './check.ts';
import { quickCheck } from './databases.ts';
import { isHidden, modeText, roomIn, sizeText, statOf, textOf, userName } from './look.ts';
import { holderOf } from './ports.ts';
import { clock, node } from './till-machine.ts';

export const ROOT = 'run it again as root, or as the user of the broker';
const START =
  'start it: systemctl start tillwatch-broker; then journalctl -u tillwatch-broker -n 50';
const RESTART = 'systemctl restart tillwatch-broker; then look into broker.log in its data folder';
const DAY_MS = 86_400_000;

export const configured =
  (
    run: (
      config: BrokerConfig,
      facts: BrokerFacts,
    ) => readonly Finding[] | Promise<readonly Finding[]>,
  ) =>
  (facts: BrokerFacts) =>
    facts.config === undefined ? [UNKNOWN] : run(facts.config, facts);

function configuration({ file, text, problems, config, uid }: BrokerFacts): readonly Finding[] {
  if (!text.ok && isHidden(text.code))
    return [skipped(`${file} may not be read by ${userName(uid)}`, ROOT)];
  if (!text.ok)
    return [
      bad(
        `${file} cannot be read (${text.code})`,
        'say where it is with --config, or make a fleet: tillwatch broker init',
      ),
    ];
  const again = `correct it, then: tillwatch check-config ${file}`;
  if (problems.length > 0) return problems.map((one) => bad(tame(formatProblem(one)), again));
  const names = config?.names.join(', ') || 'no name of its own';
  return [
    config?.plainText
      ? warn(
          `${file}: in plain text, for this machine alone`,
          'make a fleet with certificates before terminals of other machines come: tillwatch broker init',
        )
      : good(`${file}: ${names}`),
  ];
}

function running(
  { dataDir }: BrokerConfig,
  { process: one, told }: BrokerFacts,
): readonly Finding[] {
  if (one !== undefined)
    return [good(`version ${told?.version}, process ${one.pid} of ${userName(one.uid)}`)];
  const seen = statOf(join(dataDir, 'broker.json'));
  if (!seen.ok && isHidden(seen.code)) return [skipped(`${dataDir} may not be read`, ROOT)];
  const died = seen.ok ? ': it was killed or ended badly, for its broker.json is still there' : '';
  return [bad(`no broker runs on ${dataDir}${died}`, START)];
}

function port(what: string, number: number, { process: own }: BrokerFacts): Finding {
  const holder = holderOf(number);
  if (holder.kind === 'nobody' && own === undefined) return skipped(`${what} ${number}: free`);
  if (holder.kind === 'nobody') {
    return bad(`${what} ${number}: nobody listens, though the broker runs`, RESTART);
  }
  const { process: one } = holder;
  if (one === undefined) {
    return own === undefined
      ? warn(`${what} ${number}: held by a process that this user may not see`, ROOT)
      : good(`${what} ${number}: somebody listens, and the broker runs`);
  }
  if (own !== undefined && one.pid === own.pid)
    return good(`${what} ${number}: held by the broker`);
  const who = `process ${one.pid} of ${userName(one.uid)}: ${tame(one.command.slice(0, 80))}`;
  return bad(
    `${what} ${number}: held by ${who}`,
    `stop that (kill ${one.pid}), or give the broker another port`,
  );
}

function ports({ mqtt, http }: BrokerConfig, facts: BrokerFacts): readonly Finding[] {
  const mqttPort = facts.told?.mqttPort ?? mqtt.port;
  const httpPort = facts.told?.httpPort ?? http.port;
  if (mqttPort === httpPort) return [port('MQTT and HTTPS on port', mqttPort, facts)];
  return [port('MQTT on port', mqttPort, facts), port('HTTP on port', httpPort, facts)];
}

/** Beside connections: databases, logs, sinks and what Node opens. */
const FILES_BESIDES = 200;

function files({ limits }: BrokerConfig, { process: one }: BrokerFacts): readonly Finding[] {
  if (one === undefined) return [skipped('no broker runs: its limit is not known')];
  if (one.filesMax === 0)
    return [skipped(`the limits of process ${one.pid} may not be seen`, ROOT)];
  const needed = limits.connections + FILES_BESIDES;
  const has = `${one.filesMax} open files are allowed, ${limits.connections} connections`;
  if (one.filesMax >= needed) return [good(has)];
  return [
    warn(has, `allow ${needed}: LimitNOFILE=${needed} in its unit, or ulimit -n before it starts`),
  ];
}

/** Of the folder's files, by name. */
function bytesIn(folder: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const name of readdirSync(folder)) {
    const stat = statOf(join(folder, name));
    if (stat.ok && stat.value.isFile()) found.set(name, stat.value.size);
  }
  return found;
}

async function disk({ dataDir, retention }: BrokerConfig): Promise<readonly Finding[]> {
  const stat = statOf(dataDir);
  if (!stat.ok)
    return [
      isHidden(stat.code)
        ? skipped(`${dataDir} may not be seen`, ROOT)
        : bad(
            `${dataDir} is not there`,
            'look whether its disk is mounted; a new fleet: tillwatch broker init',
          ),
    ];
  const sizes = bytesIn(dataDir);
  const growth = [
    ['ledger', retention.ledger.bytesMax],
    ['registry', retention.registry.bytesMax],
    ['history', retention.history.bytesMax],
  ] as const;
  const needed = growth.reduce((all, [name, most]) => {
    const used = (sizes.get(`${name}.db`) ?? 0) + (sizes.get(`${name}.db-wal`) ?? 0);
    return all + Math.max(0, most - used);
  }, 0);
  const found = await roomIn('data', dataDir, {
    lowBytes: needed,
    floorBytes: Math.min(needed, 512 * 1024 ** 2),
  });
  if (found.state !== 'warn') return [found];
  const why = `${found.found}; what it is to keep (retention) may still need ${sizeText(needed)}`;
  return [
    warn(
      why,
      'make room, or lower retention in broker.yaml: at a full disk nothing is acknowledged',
    ),
  ];
}

function schema({ dataDir }: BrokerConfig): readonly Finding[] {
  const path = join(dataDir, 'schema.json');
  const text = textOf(path);
  if (!text.ok)
    return [
      isHidden(text.code)
        ? skipped(`${path} may not be read`, ROOT)
        : good('without a number: the first form of the data'),
    ];
  const number = Number(/"schema":\s*(\d+)/.exec(text.value)?.[1]);
  if (number === SCHEMA) return [good(`form ${number}, as this program writes it`)];
  if (number < SCHEMA)
    return [good(`form ${number}; the next start copies it and brings it to ${SCHEMA}`)];
  if (number > SCHEMA)
    return [
      bad(
        `form ${number}, this program knows ${SCHEMA}`,
        'run the newer version that wrote it, or restore a backup of this one',
      ),
    ];
  return [bad(`${path} is damaged`, 'restore a backup: tillwatch broker restore')];
}

const DATABASES = ['ledger', 'registry', 'history', 'sinks', 'loki'] as const;

async function databases({ dataDir }: BrokerConfig): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const name of DATABASES) {
    const path = join(dataDir, `${name}.db`);
    const stat = statOf(path);
    if (!stat.ok) {
      if (isHidden(stat.code)) found.push(skipped(`${name}.db may not be read`, ROOT));
      else if (name === 'ledger' || name === 'registry')
        found.push(
          warn(
            `${name}.db is not there`,
            'start the broker, which makes it; if there was one, restore a backup first',
          ),
        );
      continue;
    }
    const size = sizeText(stat.value.size);
    const verdict = await quickCheck(path);
    if (verdict === 'ok') found.push(good(`${name}.db: ${size}, whole`));
    else if (verdict === undefined)
      found.push(
        skipped(
          `${name}.db: ${size}, too large to look through now`,
          `sqlite3 -readonly ${path} 'pragma quick_check'`,
        ),
      );
    else if (/unable to open|readonly/.test(verdict))
      found.push(skipped(`${name}.db: ${tame(verdict)}`, ROOT));
    else
      found.push(
        bad(
          `${name}.db: ${tame(verdict.slice(0, 120))}`,
          'stop the broker, keep a copy of the folder, restore a backup: tillwatch broker restore',
        ),
      );
  }
  return found;
}

/** Where nobody has said how often. */
const BACKUP_MS_MAX = 7 * DAY_MS;
/** What writing one may take, or waiting for the next try. */
const BACKUP_SLACK_MS = DAY_MS / 12;

function backup(config: BrokerConfig, { nowMs }: BrokerFacts): readonly Finding[] {
  const { dataDir, backup: wanted } = config;
  const stat = statOf(dataDir);
  if (!stat.ok) return [skipped(`${dataDir} may not be seen`, ROOT)];
  const { good: last, bad: failed } = readLast(dataDir);
  const found: Finding[] = [];
  const make =
    'make one: tillwatch broker backup FILE; broker.yaml can have it made each day (backup)';
  if (failed !== undefined && failed.endedMs > (last?.endedMs ?? 0)) {
    found.push(
      bad(
        `the last one failed ${age(Math.max(0, nowMs - failed.endedMs))} ago: ${tame(failed.reason)}`,
        make,
      ),
    );
  }
  if (last === undefined)
    return [...found, warn('there is none: a broken disk would be the end of the fleet', make)];
  const old = Math.max(0, nowMs - last.atMs);
  const is = `${age(old)} old, ${sizeText(last.bytes)}, ${last.file}`;
  if (wanted !== undefined && old > wanted.everyMs + BACKUP_SLACK_MS) {
    const late = `${is}, one each ${age(wanted.everyMs)} is wanted`;
    found.push(warn(late, "look why in the broker's log, and whether it runs"));
  } else found.push(wanted === undefined && old > BACKUP_MS_MAX ? warn(is, make) : good(is));
  if (!last.verified) found.push(warn('it was not read again after it was written', make));
  return found;
}

function folders(
  { dataDir, keysDir }: BrokerConfig,
  { process: one }: BrokerFacts,
): readonly Finding[] {
  return [...new Set([dataDir, keysDir])].map((path) => {
    const stat = statOf(path);
    if (!stat.ok)
      return isHidden(stat.code)
        ? skipped(`${path} may not be seen`, ROOT)
        : bad(
            `${path} is not there`,
            'look whether its disk is mounted; a new fleet: tillwatch broker init',
          );
    const { mode, uid } = stat.value;
    if ((mode & 0o022) !== 0)
      return bad(
        `others may write in ${path} (mode ${modeText(mode)})`,
        `chmod go-w ${path}, and look whether what is in it is yours`,
      );
    if (one !== undefined && one.uid !== 0 && one.uid !== uid)
      return bad(
        `${path} is of ${userName(uid)}, the broker runs as ${userName(one.uid)}`,
        `chown -R ${userName(one.uid)}: ${path}`,
      );
    return good(`${path}, of ${userName(uid)}, mode ${modeText(mode)}`);
  });
}

const time = ({ nowMs }: BrokerFacts): readonly Finding[] => {
  const [found] = clock({ nowMs, agent: { kind: 'silent', reason: '' } });
  if (found === undefined || found.state !== 'ok') return found === undefined ? [] : [found];
  return [good(`${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`)];
};

export const brokerMachineChecks: readonly Check<BrokerFacts>[] = [
  { name: 'node', what: 'the Node that runs it', run: () => node() },
  { name: 'configuration', what: "the broker's file", run: configuration },
  { name: 'broker', what: 'whether it runs', run: configured(running) },
  { name: 'ports', what: 'who holds its ports', run: configured(ports) },
  { name: 'files', what: 'how many files it may open', run: configured(files) },
  { name: 'folders', what: 'folders, owners and modes', run: configured(folders) },
  { name: 'disk', what: 'room for what it is to keep', run: configured(disk) },
  { name: 'schema', what: 'the form of the data', run: configured(schema) },
  { name: 'databases', what: 'whether the databases are whole', run: configured(databases) },
  { name: 'backup', what: 'how old the last backup is', run: configured(backup) },
  { name: 'clock', what: 'whether the time can be true', run: time },
];
