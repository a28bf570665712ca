// As whom a program runs that the agent starts, and that it holds nothing of what the agent may. The agent is a user of
// its own with a few capabilities (deploy/systemd/tillwatch-agent.service), which execve(2) hands to every child as
// long as they are ambient [capabilities(7)], and Node can neither take them out of that set nor change a child's groups;
// util-linux' setpriv(1) does both, in a millisecond. Where the agent is an ordinary user or root and nothing is to
// change, nothing stands in front of a command.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { RunAs } from '../ports.ts';

type Environment = Readonly<Record<string, string>>;
export type Command = { readonly command: readonly string[]; readonly env: Environment };
type Person = {
  readonly uid: string;
  readonly gid: string;
  readonly groups: readonly string[];
  readonly home: string;
};

const LOOKUP_MS_MAX = 5_000;
/** A person who was added to a group is in it with the next start after this. */
const KNOWN_MS = 60_000;
const KNOWN_MAX = 64;
/** Not by PATH: that may be a component's. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const NO_CAPABILITIES = ['--inh-caps=-all', '--ambient-caps=-all'];

/**
 * What would let whoever wrote a component's environment act inside setpriv or the shim, which still hold the
 * agent's capabilities: the list of ld.so(8), secure-execution mode, and what a shell reads at its start [bash(1)].
 * It is set after them, by env(1).
 */
const REACHES_IN = new RegExp(
  '^(LD_.*|MALLOC_.*|BASH.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|' +
    'NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TMPDIR|TZDIR|SHELLOPTS|PS4|ENV|IFS|CDPATH)$',
);

const find = (program: string): string | undefined =>
  FOLDERS.map((folder) => `${folder}/${program}`).find((path) => existsSync(path));

/** busybox has one that cannot change the user. */
function findSetpriv(): string | undefined {
  const path = find('setpriv');
  return path === undefined || realpathSync(path).includes('busybox') ? undefined : path;
}

function readAmbient(): bigint {
  try {
    const line = /^CapAmb:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return BigInt(`0x${line?.[1] ?? '0'}`);
  } catch {
    return 0n; // no Linux, or one from before 4.3
  }
}

/** Read once: nothing in a running agent changes them. */
const ambient = readAmbient();
const ownUid = process.getuid?.() ?? 0;
const ownGid = process.getgid?.() ?? 0;
const CAP_SETUID = 1n << 7n;
const MISSING = 'this till has no setpriv (util-linux), and without it';

const known = new Map<string, { readonly person: Person; readonly atMs: number }>();

/** By the system's own programs: people also live in directories that no file lists [nsswitch.conf(5)]. */
const QUESTION = `
id -u -- "$1" && id -g -- "$1" && id -G -- "$1" && eval "echo ~$1" || exit 3
[ -z "$2" ] || "$3" --regid="$2" --keep-groups id -g || exit 4
`;

function ask({ user, group = '' }: RunAs, setpriv: string): Promise<Result<Person>> {
  const words = ['/bin/sh', '-c', QUESTION, 'sh', user, group, setpriv];
  // Whether a group is there only somebody can tell who may change to it.
  const [program = '', ...argv] = group === '' ? withoutCapabilities(setpriv, words) : words;
  const options = { timeout: LOOKUP_MS_MAX, env: { PATH: FOLDERS.join(':'), LC_ALL: 'C' } };
  return new Promise((done) => {
    execFile(program, argv, options, (error, output) => {
      const [uid = '', primary = '', groups = '', home = '', other] = output.trim().split('\n');
      if (error?.code === 3) done(fail(`there is no user ${user} on this till`));
      else if (error?.code === 4) done(fail(`there is no group ${group} on this till`));
      else if (error !== null)
        done(fail(`who ${user} is could not be found out: ${error.message}`));
      else done(ok({ uid, gid: other ?? primary, groups: groups.split(' '), home }));
    });
  });
}

async function personOf(as: RunAs, setpriv: string): Promise<Result<Person>> {
  const key = `${as.user}:${as.group ?? ''}`;
  const before = known.get(key);
  if (before !== undefined && performance.now() - before.atMs < KNOWN_MS) return ok(before.person);
  const found = await ask(as, setpriv);
  if (!found.ok) return found;
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(key, { person: found.value, atMs: performance.now() });
  return found;
}

const withoutCapabilities = (setpriv: string, command: readonly string[]): string[] =>
  ambient === 0n ? [...command] : [setpriv, ...NO_CAPABILITIES, '--', ...command];

/** What reaches in is set by env(1), behind what it could reach. */
function later(command: readonly string[], env: Environment): Command {
  const names = Object.keys(env);
  const late = names.filter((name) => REACHES_IN.test(name));
  if (late.length === 0) return { command, env };
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !late.includes(name)));
  const words = late.map((name) => `${name}=${env[name]}`);
  return { command: [find('env') ?? '/usr/bin/env', ...words, ...command], env: rest };
}

let setprivPath: string | undefined;

/** As ourselves, with no capability of ours. */
export function bare(command: readonly string[], env: Environment): Result<Command> {
  if (ambient === 0n) return ok({ command, env });
  setprivPath ??= findSetpriv();
  if (setprivPath === undefined) return fail(`${MISSING} nothing can be started safely`);
  const { command: words, env: rest } = later(command, env);
  return ok({ command: withoutCapabilities(setprivPath, words), env: rest });
}

/** As `as.user`, in that person's groups, and in ours for the component socket. */
export async function asUser(
  command: readonly string[],
  env: Environment,
  as: RunAs,
): Promise<Result<Command>> {
  const must = `it is to run as ${as.user}`;
  setprivPath ??= findSetpriv();
  if (setprivPath === undefined) return fail(`${must}: ${MISSING} it cannot`);
  const found = await personOf(as, setprivPath);
  if (!found.ok) return fail(`${must}: ${found.reason}`);
  const { uid, gid, groups, home } = found.value;
  const about = { HOME: home, USER: as.user, LOGNAME: as.user };
  if (Number(uid) === ownUid && Number(gid) === ownGid) return bare(command, { ...about, ...env });
  if (ownUid !== 0 && (ambient & CAP_SETUID) === 0n) {
    return fail(
      `${must}: the agent may start nothing as somebody else (user ${ownUid}, no CAP_SETUID)`,
    );
  }
  const channel = ownGid === 0 ? [] : [String(ownGid)];
  const all = [...new Set([...groups, gid, ...channel])].join(',');
  const { command: words, env: rest } = later(command, { ...about, ...env });
  const change = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${all}`, ...NO_CAPABILITIES];
  return ok({ command: [setprivPath, ...change, '--', ...words], env: rest });
}
