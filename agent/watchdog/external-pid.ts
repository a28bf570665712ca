// Which process is it now? For a component that something else starts, the configuration says how to find its pid:
// a command that prints it, or a file that names it. Both can be wrong, late or left over from yesterday, so the
// answer is only believed where it names a living program that is neither the agent, nor what started it, nor another
// component; and a pid file is not believed that is older than the process it names (monit's trap: a stale file and a
// reused number).

import type { ComponentConfig } from '../../configuration/config.ts';
import type { Ports } from '../ports.ts';
import { askCommand } from '../system/command.ts';
import { codeOf } from '../system/files.ts';
import { type FileFacts, readTail } from '../system/tail.ts';
import { type Identity, readStat } from './identity.ts';
import { isDead, type Stat, TICK_MS } from './proc.ts';

export type PidSource = NonNullable<ComponentConfig['external']>['pid'];

/** `unknown`: it cannot be told; nothing may be started then, for a copy may run. */
export type FoundPid =
  | { readonly kind: 'found'; readonly identity: Identity; readonly stamp: string | undefined }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What the last life was known by: the same file cannot name another process by the same number. */
export type Known = { readonly identity: Identity; readonly stamp: string | undefined };

export const PID_TIMEOUT_MS = 5_000;
const OUTPUT_BYTES_MAX = 4_096;
const PID_FILE_BYTES_MAX = 64;
const TOLD_CHARS_MAX = 40;
/** A file's time has the resolution of a tick, and the start of a process that of 10 ms. */
const OLDER_MS_MIN = 2_000;
const NONE = { kind: 'none' } as const;
const KERNEL_THREADS = 2;
const PARENTS_MAX = 64;

const unknown = (reason: string): FoundPid => ({ kind: 'unknown', reason });

type Said = FoundPid | { readonly kind: 'said'; readonly pid: number; readonly file?: FileFacts };

/** 0 is how systemd says that there is none. */
function parse(text: string, what: string): Said {
  const word = text.trim();
  if (word === '' || word === '0') return NONE;
  if (/^\d{1,9}$/.test(word)) return { kind: 'said', pid: Number(word) };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const shown = word.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, TOLD_CHARS_MAX);
  return unknown(`its pid ${what} says "${shown}", which is no pid`);
}

async function askFile(path: string): Promise<Said> {
  try {
    const tail = await readTail(path, () => ({ from: 0, bytesMax: PID_FILE_BYTES_MAX }));
    if (tail === undefined) return NONE;
    // The first line is the pid, whatever follows (PostgreSQL's, say).
    const said = parse(tail.read.toString('utf8').split('\n')[0] ?? '', 'file');
    return said.kind === 'said' ? { ...said, file: tail.facts } : said;
  } catch (error) {
    return unknown(`its pid file cannot be read: ${codeOf(error)}`);
  }
}

type CommandContext = {
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** The component that has a process already. */
  readonly ownerOf?: ((pid: number) => string | undefined) | undefined;
};

async function askPidCommand(
  ports: Ports,
  command: readonly string[],
  { cwd, env }: CommandContext,
): Promise<Said> {
  const limits = { timeoutMs: PID_TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
  const answer = await askCommand({ command, cwd, env, ...limits }, ports.timers);
  if (!answer.ok) return unknown(`its pid command: ${answer.reason}`);
  // As pgrep(1) says that there is none.
  return answer.value.code === 0 ? parse(answer.value.output, 'command') : NONE;
}

/** The agent, and whoever started it: a kiosk's own script, say, which must never be killed for a till. */
function isOurLine({ files, processes }: Ports, pid: number): boolean {
  let at = processes.ownPid;
  for (let steps = 0; steps < PARENTS_MAX && at > 1; steps += 1) {
    if (at === pid) return true;
    at = readStat(files, at)?.parent ?? 0;
  }
  return false;
}

const stampOf = ({ id, modifiedMs, bytes }: FileFacts): string => `${id}:${modifiedMs}:${bytes}`;

/** Whether a pid file was written before the process began that it names: it means another. */
function isStale({ clock }: Ports, file: FileFacts, stat: Stat): boolean {
  const startedMs = clock.wallMs() - (clock.bootMs() - stat.startTicks * TICK_MS);
  return file.modifiedMs < startedMs - OLDER_MS_MIN;
}

/** kill(2) takes the number of a thread too, and then ends its whole process: the agent's, say. */
function leaderOf({ files }: Ports, pid: number): number {
  const leader = /^Tgid:\s+(\d+)/m.exec(files.read(`/proc/${pid}/status`) ?? '')?.[1];
  return leader === undefined ? pid : Number(leader);
}

function judge(
  ports: Ports,
  { pid, file }: Extract<Said, { kind: 'said' }>,
  known: Known | undefined,
  ownerOf: CommandContext['ownerOf'],
): FoundPid {
  const stat = readStat(ports.files, pid);
  if (stat === undefined || isDead(stat)) return NONE;
  if (pid === 1 || pid === KERNEL_THREADS || stat.parent === KERNEL_THREADS) {
    return unknown(`its pid ${pid} is the system's own`);
  }
  if (isOurLine(ports, pid)) return unknown(`its pid ${pid} is the agent or what started it`);
  const leader = leaderOf(ports, pid);
  if (leader !== pid) return unknown(`its pid ${pid} is a thread of ${leader}`);
  const owner = ownerOf?.(pid);
  if (owner !== undefined) return unknown(`its pid ${pid} is that of ${owner}`);
  const identity = { bootId: ports.clock.bootId(), pid, startTicks: stat.startTicks };
  const stamp = file && stampOf(file);
  const isKnown =
    known?.identity.bootId === identity.bootId &&
    known.identity.pid === pid &&
    known.identity.startTicks === identity.startTicks;
  // Known since before a clock was set: what its file's time says of it now means nothing.
  if (file === undefined || isKnown) return { kind: 'found', identity, stamp };
  const isReused = known?.identity.pid === pid && known.stamp === stamp;
  if (isReused || isStale(ports, file, stat)) return NONE;
  return { kind: 'found', identity, stamp };
}

/** Never rejects; takes at most PID_TIMEOUT_MS. */
export async function findPid(
  ports: Ports,
  source: PidSource,
  context: CommandContext,
  known?: Known,
): Promise<FoundPid> {
  const said =
    'file' in source
      ? await askFile(source.file)
      : await askPidCommand(ports, source.command, context);
  return said.kind === 'said' ? judge(ports, said, known, context.ownerOf) : said;
}
