// The machine under the agent: Node, the configuration that it reads, its folders and disk, and its clock.

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { limitsFor } from '../../agent/low-disk.ts';
import { realFiles } from '../../agent/system/files.ts';
import { timeZoneOf } from '../../agent/time-zone.ts';
import { type AgentConfig, formatProblem } from '../../configuration/config.ts';
import { age, plural, tame } from '../screen.ts';
import type { Check, Finding } from './check.ts';
import { bad, good, skipped, UNKNOWN, warn } from './check.ts';
import { isHidden, isInMemory, modeText, roomIn, statOf, userName } from './look.ts';
import type { TillFacts } from './till-facts.ts';

/** For checks that need one. */
export const configured =
  (
    run: (
      config: AgentConfig,
      facts: TillFacts,
    ) => readonly Finding[] | Promise<readonly Finding[]>,
  ) =>
  (facts: TillFacts) =>
    facts.config === undefined ? [UNKNOWN] : run(facts.config, facts);

const NODE_LEAST = [24, 12] as const;

export function node(version = process.versions.node): readonly Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > NODE_LEAST[0] || (major === NODE_LEAST[0] && minor >= NODE_LEAST[1]);
  const todo = `install Node ${NODE_LEAST.join('.')} or newer, or use the one in /opt/tillwatch/current`;
  return [isNew ? good(`${version}, ${process.execPath}`) : bad(`${version} is too old`, todo)];
}

function configuration({ file, text, problems, config, uid }: TillFacts): readonly Finding[] {
  if (!text.ok && isHidden(text.code)) {
    return [skipped(`${file} may not be read by ${userName(uid)}`, 'run it again as root')];
  }
  if (!text.ok) {
    const todo = 'say where it is with --config, or make this machine a till: tillwatch join';
    return [bad(`${file} cannot be read (${text.code})`, todo)];
  }
  const again = `correct it, then: tillwatch check-config ${file}`;
  if (problems.length > 0) return problems.map((one) => bad(tame(formatProblem(one)), again));
  const found = `${file}: terminal ${config?.terminal}, ${plural(config?.components.length ?? 0, 'component')}`;
  return [good(found)];
}

function document({ documents, config }: TillFacts): readonly Finding[] {
  if (config === undefined) return [UNKNOWN];
  const name = (one: typeof documents.good): string =>
    one === undefined || one === 'damaged' ? '' : `${one.name} version ${one.version}`;
  const damaged = Object.entries(documents).filter(([, one]) => one === 'damaged');
  const todo = 'apply it again at the centre: tillwatch config apply, or tillwatch config rollback';
  if (damaged.length > 0) {
    const names = damaged.map(([shelf]) => `${shelf}.yaml`).join(', ');
    return [bad(`${names} in ${config.dataDir}/configuration is damaged`, todo)];
  }
  if (documents.trial !== undefined) {
    const wait = 'wait: it is kept or taken back by itself within minutes';
    return [warn(`${name(documents.trial)} is on trial`, wait)];
  }
  if (documents.good !== undefined) return [good(`it runs under ${name(documents.good)}`)];
  if (config.components.length > 0) return [good("none of the fleet: the till's own file alone")];
  return [
    warn('the own file names no components and no document has come: nothing is watched', todo),
  ];
}

/** Owner's rights alone, where it matters. */
const OTHERS_WRITE = 0o022;

function folder(what: string, path: string, { agent, uid }: TillFacts): Finding {
  const stat = statOf(path);
  if (!stat.ok && isHidden(stat.code)) {
    return skipped(`${what}: ${path} may not be seen by ${userName(uid)}`, 'run it again as root');
  }
  // Nothing was printed yet.
  const isYoung = what === 'logs' && agent.kind === 'answers' && !stat.ok && stat.code === 'ENOENT';
  if (isYoung && statOf(dirname(path)).ok) {
    return good(`${what}: ${path} is made with the first line that a component prints`);
  }
  if (!stat.ok) {
    const missing = `${what}: ${path} is not there (${stat.code})`;
    return agent.kind === 'answers'
      ? bad(missing, 'restart the agent, which makes it: its components keep running')
      : warn(missing, 'start the agent: it makes it');
  }
  if (!stat.value.isDirectory()) return bad(`${what}: ${path} is no folder`, 'move it away');
  const { mode, uid: owner } = stat.value;
  if ((mode & OTHERS_WRITE) !== 0) {
    const open = `${what}: others than ${userName(owner)} may write in ${path} (mode ${modeText(mode)})`;
    return bad(open, `chmod go-w ${path}, and look whether what is in it is yours`);
  }
  const running = agent.kind === 'answers' ? agent.process?.uid : undefined;
  if (running !== undefined && running !== 0 && running !== owner) {
    const foreign = `${what}: ${path} is of ${userName(owner)}, the agent runs as ${userName(running)}`;
    return bad(foreign, `chown -R ${userName(running)}: ${path}`);
  }
  return good(`${what}: ${path}, of ${userName(owner)}, mode ${modeText(mode)}`);
}

function folders(config: AgentConfig, facts: TillFacts): readonly Finding[] {
  const { dataDir, runDir, logDir, identityDir } = config;
  const all = { data: dataDir, run: runDir, logs: logDir };
  const found = Object.entries(all).map(([what, path]) => folder(what, path, facts));
  const stat = statOf(identityDir);
  if (stat.ok && (stat.value.mode & 0o077) !== 0) {
    const open = `identity: ${identityDir} is open to others (mode ${modeText(stat.value.mode)})`;
    found.push(
      bad(open, `chmod 700 ${identityDir} if nobody was in it; else enrol this terminal anew`),
    );
  }
  return found;
}

async function runDir({ runDir: path }: AgentConfig): Promise<readonly Finding[]> {
  const stat = statOf(path);
  if (!stat.ok) return [skipped(`${path} cannot be looked at (${stat.code})`)];
  if (await isInMemory(path)) return [good(`${path} is in memory: a reboot empties it`)];
  const found = `${path} is on a disk: what is meant for one boot stays, and each write wears it`;
  return [warn(found, 'set runDir: /run/tillwatch, or mount a tmpfs there')];
}

async function disk({
  dataDir,
  runDir: run,
  logDir,
  disk: said,
}: AgentConfig): Promise<readonly Finding[]> {
  const limitsOf = async (path: string) => {
    const stat = statOf(path);
    const counts = stat.ok ? await statfs(path) : undefined;
    return limitsFor(
      said,
      counts === undefined ? Number.MAX_SAFE_INTEGER : counts.blocks * counts.bsize,
    );
  };
  const found = [await roomIn('data', dataDir, await limitsOf(dataDir))];
  const [a, b] = [statOf(dataDir), statOf(logDir)];
  if (!a.ok || !b.ok || a.value.dev !== b.value.dev) {
    found.push(await roomIn('logs', logDir, await limitsOf(logDir)));
  }
  found.push(await roomIn('run', run, { lowBytes: 2_000_000, floorBytes: 500_000 }));
  return found;
}

/** Tillwatch was not there before, and no till is expected to be there after. */
const YEARS = [2026, 2100] as const;
const OFFSET_MS_LARGE = 5 * 60_000;

export function clock({ nowMs, agent }: Pick<TillFacts, 'nowMs' | 'agent'>): readonly Finding[] {
  const said = new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ');
  const year = new Date(nowMs).getUTCFullYear();
  const todo = 'set it (timedatectl set-time, or chronyc makestep) and look at its battery';
  if (year < YEARS[0] || year > YEARS[1]) return [bad(`it says ${said} UTC`, todo)];
  const told = agent.kind === 'answers' ? agent.value.clock : undefined;
  if (told?.offsetMs === undefined) {
    return [good(`${said} UTC; how far it is off is not known before the broker is reached`)];
  }
  if (Math.abs(told.offsetMs) < 1_000) return [good(`${said} UTC, as the broker has it`)];
  const off = `${said} UTC, ${age(Math.abs(told.offsetMs))} ${told.offsetMs < 0 ? 'ahead of' : 'behind'} the broker`;
  if (Math.abs(told.offsetMs) < OFFSET_MS_LARGE) return [good(off)];
  return [warn(`${off}; the agent corrects what it sends, receipts are not`, todo)];
}

function zone({ env }: TillFacts): readonly Finding[] {
  const found = timeZoneOf(env, realFiles);
  if (found === undefined) {
    return [
      warn(
        'this machine does not say which',
        'timedatectl set-timezone Europe/Berlin, or your own',
      ),
    ];
  }
  return [good(found)];
}

export const machineChecks: readonly Check<TillFacts>[] = [
  { name: 'node', what: 'the Node that runs it', run: () => node() },
  {
    name: 'configuration',
    what: "the till's own file, with the fleet's document",
    run: configuration,
  },
  { name: 'document', what: 'the document that the centre has sent', run: document },
  { name: 'folders', what: 'folders, owners and modes', run: configured(folders) },
  { name: 'run-dir', what: 'whether the run directory is in memory', run: configured(runDir) },
  { name: 'disk', what: 'room, inodes, read-only file systems', run: configured(disk) },
  { name: 'clock', what: 'year, and offset to the broker', run: clock },
  { name: 'time-zone', what: "the store's time zone", run: zone },
];
