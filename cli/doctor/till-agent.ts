// The agent on this till: who starts it again, whether it runs and sweeps, how its components are, what it would start
// and may do, and what waits in its files.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AgentConfig } from '../../configuration/config.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { TillComponent } from '../../protocol/till.ts';
import { age, plural, tame } from '../screen.ts';
import { bad, type Check, type Finding, good, skipped, warn } from './check.ts';
import {
  isHidden,
  processOf,
  programFault,
  see,
  sizeText,
  statOf,
  unitOf,
  userName,
} from './look.ts';
import type { TillFacts } from './till-facts.ts';
import { configured } from './till-machine.ts';

const RESTART = 'systemctl restart tillwatch-agent; its components keep running';
const UNWATCHED =
  'run it under systemd (deploy/systemd) or tillwatch-respawn: deploy/README.md says how';
const ROOT = 'run it again as root, or as the user of the agent';

const UNIT = 'systemd/system/tillwatch-agent.service';
const hasUnit = (): boolean =>
  ['/etc', '/usr/lib', '/lib'].some((top) => statOf(`${top}/${UNIT}`).ok);

function watcher({ agent }: TillFacts): readonly Finding[] {
  if (agent.kind !== 'answers') {
    if (hasUnit()) {
      return [good('there is a systemd unit; systemctl status tillwatch-agent says more')];
    }
    return [warn('no agent answers, and there is no systemd unit for one', UNWATCHED)];
  }
  const { pid } = agent.value;
  const unit = unitOf(pid);
  if (unit !== undefined) return [good(`systemd starts it again: ${unit}`)];
  for (let one = agent.process; one !== undefined && one.pid > 1; one = processOf(one.parent)) {
    if (one.command.includes('tillwatch-respawn'))
      return [good(`tillwatch-respawn, process ${one.pid}`)];
  }
  return [warn(`nobody would start the agent again if process ${pid} ended`, UNWATCHED)];
}

/** Every two seconds there is a new one (agent/alive.ts); the respawner waits for thirty. */
const SWEEP_MS_MAX = 15_000;

function running(config: AgentConfig, { agent, nowMs }: TillFacts): readonly Finding[] {
  if (agent.kind === 'hidden') return [skipped(agent.reason, ROOT)];
  if (agent.kind === 'silent') {
    const start = hasUnit()
      ? 'start it: systemctl start tillwatch-agent; if it ends again: journalctl -u tillwatch-agent -n 50'
      : 'start it as deploy/README.md says, and read what it prints';
    return [bad(`no agent answers in ${config.runDir}: ${agent.reason}`, start)];
  }
  const { value } = agent;
  const who = `version ${value.agent}, process ${value.pid}, up ${age(value.upMs)}`;
  const stat = statOf(join(config.runDir, 'sweep'));
  const found: Finding[] = [];
  if (stat.ok && nowMs - stat.value.mtimeMs > SWEEP_MS_MAX) {
    const since = age(nowMs - stat.value.mtimeMs);
    found.push(
      bad(`${who}; it answers and has not looked at its components for ${since}`, RESTART),
    );
  } else if (value.agent !== manifest.version) {
    found.push(warn(`${who}; installed is ${manifest.version}`, RESTART));
  } else found.push(good(who));
  if (value.terminal !== config.terminal) {
    const other = `it is ${value.terminal}, the configuration says ${config.terminal}`;
    found.push(bad(other, `restart it with this configuration: ${RESTART}`));
  }
  if (value.hold !== undefined) {
    const { by, reason, leftMs } = value.hold;
    const held = `it is held by ${tame(by)} for another ${age(leftMs)}: ${tame(reason)}`;
    found.push(warn(held, 'tillwatch hold --release lets it act again'));
  }
  return found;
}

function component({ name, state, reason, forMs, stopped, mode }: TillComponent): Finding {
  const is = `${name}: ${state} for ${age(forMs)}: ${tame(reason)}`;
  const logs = `look at what it prints: tillwatch logs TERMINAL -c ${name}, or its file in the logs folder`;
  if (state === 'quarantined') return bad(`${is}; a human is needed`, logs);
  if (stopped !== undefined) return warn(`${is}`, `tillwatch start TERMINAL ${name} --reason ...`);
  if (state === 'ready')
    return good(
      mode === 'observe' ? `${name}: ready; only watched (mode observe)` : `${name}: ready`,
    );
  if (state === 'starting') return good(is);
  return warn(is, `wait for the watchdog; if it goes on, ${logs}`);
}

function components({ agent }: TillFacts): readonly Finding[] {
  if (agent.kind !== 'answers') return [skipped('the agent does not say')];
  const { components: all } = agent.value;
  if (all.length > 0) return all.map(component);
  return [
    warn('it watches nothing', 'write components into its file, or apply a document at the centre'),
  ];
}

type Program = { readonly of: string; readonly program: string };

function programsOf({ components: all, ladder }: AgentConfig): readonly Program[] {
  const found: Program[] = [];
  const add = (of: string, command: readonly string[] | undefined): void => {
    const [program] = command ?? [];
    if (program !== undefined) found.push({ of, program });
  };
  for (const one of all) {
    const { name, command, heal, reset, probes } = one as typeof one & Record<string, never>;
    add(`component ${name}`, command as readonly string[] | undefined);
    add(`heal of ${name}`, (heal as { command?: readonly string[] } | undefined)?.command);
    add(`reset of ${name}`, (reset as { command?: readonly string[] } | undefined)?.command);
    for (const probe of probes as readonly { kind: string; command?: readonly string[] }[]) {
      if (probe.kind === 'exec') add(`probe of ${name}`, probe.command);
    }
  }
  add('reboot', ladder.reboot?.command);
  return found;
}

function hooks(config: AgentConfig, { env }: TillFacts): readonly Finding[] {
  const all = programsOf(config);
  const faults = all.flatMap(({ of, program }) => {
    const fault = programFault(program, env);
    if (fault === undefined) return [];
    const todo = `install it, make it executable (chmod +x), or correct the command of ${of}`;
    return [bad(`${of}: ${program}: ${fault}`, todo)];
  });
  if (faults.length > 0) return faults;
  return [good(`${plural(all.length, 'program')} of components, probes and hooks can be started`)];
}

/** [capabilities(7)] */
const CAPABILITIES = {
  ...{ CAP_DAC_READ_SEARCH: 2n, CAP_KILL: 5n, CAP_SETGID: 6n },
  ...{ CAP_SETUID: 7n, CAP_SYS_PTRACE: 19n },
} as const;

function user({ components: all }: AgentConfig, { agent }: TillFacts): readonly Finding[] {
  if (agent.kind !== 'answers' || agent.process === undefined) {
    return [skipped('no agent runs, or this user may not see it')];
  }
  const { uid, capabilities } = agent.process;
  if (uid === 0) return [good('the agent runs as root')];
  const who = userName(uid);
  const others = all.filter((one) => 'user' in one && one.user !== undefined && one.user !== who);
  if (others.length === 0) return [good(`the agent runs as ${who}, and so do its components`)];
  const lacks = Object.entries(CAPABILITIES).filter(
    ([, bit]) => (capabilities & (1n << bit)) === 0n,
  );
  const names = others.map(({ name }) => name).join(', ');
  if (lacks.length === 0)
    return [good(`the agent runs as ${who}; ${names} under users of their own`)];
  const found = `the agent runs as ${who} without ${lacks.map(([name]) => name).join(', ')}: ${names} cannot run as another user`;
  return [bad(found, 'use the unit in deploy/systemd, which gives it what it needs')];
}

const HELPER = '/run/tillwatch-helper.sock';

function helper({ ladder, components: all }: AgentConfig, { env }: TillFacts): readonly Finding[] {
  const isAsked = JSON.stringify([ladder, all]).includes('tillwatch-helper-call');
  if (!isAsked) return [good('nothing asks for it')];
  const path = env['TILLWATCH_HELPER_SOCKET'] ?? HELPER;
  const stat = statOf(path);
  if (stat.ok && stat.value.isSocket()) return [good(`it listens at ${path}`)];
  if (!stat.ok && isHidden(stat.code)) return [skipped(`${path} may not be seen`, ROOT)];
  const todo =
    'systemctl enable --now tillwatch-helper.socket; without systemd: deploy/tillwatch-start';
  return [bad(`reboots and resets ask a helper, and none listens at ${path}`, todo)];
}

type Depth = {
  readonly batches: number;
  readonly waiting: number;
  readonly dead: number;
  readonly oldestMs: number;
};

/** Without the agent: read from the file, which changes nothing in it. */
function readOutbox(path: string): Depth {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const number = (sql: string): number =>
      Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0);
    return {
      batches: number('select count(*) from batch'),
      waiting: number(
        'select (select count(*) from event) + (select count(*) from result) + (select count(*) from sample)',
      ),
      dead: number('select count(*) from dead_letter'),
      oldestMs: number('select min(time_ms) from sample'),
    };
  } finally {
    db.close();
  }
}

/** Refused by the broker: kept for whoever wants to know why, and never sent again. */
const deadText = (dead: number): Finding[] =>
  dead === 0
    ? []
    : [
        warn(
          `the broker has refused ${dead} for good`,
          'at the centre: tillwatch diagnose TERMINAL tells which and why',
        ),
      ];

function outbox({ dataDir }: AgentConfig, { agent, nowMs }: TillFacts): readonly Finding[] {
  const path = join(dataDir, 'outbox.db');
  const told = agent.kind === 'answers' ? agent.value.outbox : undefined;
  if (told !== undefined) {
    const { batches, waiting, bytes, dropped, deadLetters, damaged, durable } = told;
    const depth = `${batches} sealed and ${waiting} unsealed wait, ${sizeText(bytes)}`;
    const found = [good(depth), ...deadText(deadLetters)];
    if (!durable)
      found.push(
        bad('it is in memory only: a power cut loses what waits', 'look at the disk: see there'),
      );
    if (dropped > 0)
      found.push(
        warn(
          `${dropped} were given up since the agent began`,
          'look at the disk and at the line; the centre has gap events of it',
        ),
      );
    if (damaged > 0)
      found.push(
        warn('its file was damaged and set aside', 'look whether the disk fails: dmesg | tail'),
      );
    return found;
  }
  if (!statOf(path).ok) {
    const { code } = statOf(path) as { code: string };
    return [
      isHidden(code) ? skipped(`${path} may not be read`, ROOT) : skipped('there is none yet'),
    ];
  }
  const read = see(() => readOutbox(path));
  if (!read.ok) {
    if (isHidden(read.code) || /readonly|unable to open/.test(read.code))
      return [skipped(`${path} cannot be opened: ${read.code}`, ROOT)];
    return [
      bad(
        `${path} cannot be read: ${read.code}`,
        'start the agent: it sets a damaged file aside and tells the centre; keep a copy',
      ),
    ];
  }
  const { batches, waiting, dead, oldestMs } = read.value;
  const since =
    oldestMs > 0 ? `, the oldest sample is ${age(Math.max(0, nowMs - oldestMs))} old` : '';
  return [good(`${batches} sealed and ${waiting} unsealed wait${since}`), ...deadText(dead)];
}

function journal({ dataDir }: AgentConfig): readonly Finding[] {
  const folder = join(dataDir, 'journal');
  const read = see(() => readdirSync(folder, { recursive: true, withFileTypes: true }));
  if (!read.ok)
    return [
      isHidden(read.code)
        ? skipped(`${folder} may not be read`, ROOT)
        : skipped('there is none yet'),
    ];
  const segments = read.value.filter((one) => one.isFile() && one.name.endsWith('.seg'));
  const sizes = segments.map((one) => statOf(join(one.parentPath, one.name)));
  const bytes = sizes.reduce((all, one) => all + (one.ok ? one.value.size : 0), 0);
  return [good(`${plural(segments.length, 'segment')}, ${sizeText(bytes)}`)];
}

export const agentChecks: readonly Check<TillFacts>[] = [
  { name: 'watcher', what: 'who starts the agent again', run: watcher },
  { name: 'agent', what: 'whether it runs and sweeps', run: configured(running) },
  { name: 'components', what: 'how they are, and who needs help', run: components },
  { name: 'hooks', what: 'programs of components, probes and hooks', run: configured(hooks) },
  { name: 'user', what: "the agent's user and what it may do", run: configured(user) },
  { name: 'helper', what: 'the helper that reboots and resets', run: configured(helper) },
];
export const storeChecks: readonly Check<TillFacts>[] = [
  { name: 'outbox', what: 'what waits to be sent', run: configured(outbox) },
  { name: 'journal', what: 'kept output of components', run: configured(journal) },
];
