// Is a human debugging this component? A JavaScript debugger is no tracer that /proc would show: it talks to the
// inspector over a WebSocket, and while it holds the main thread that looks like any deadlock. So its connection is
// looked for: a process of the tree that listens on its inspector's port and has a peer there. Which port that is comes
// from its command line or NODE_OPTIONS; SIGUSR1 opens 9229. Only /proc is read: to ask the port would touch what
// a human uses, and whatever else might listen there.

import type { Files } from '../ports.ts';
import { environValue, type Stat } from './proc.ts';
import { ESTABLISHED, LISTEN, readTcp, socketsOf, type TcpRow } from './sockets.ts';
import { readEnviron } from './tree.ts';

const INSPECTOR_PORT = 9229;
const COMMAND_BYTES_MAX = 16 * 1024;
const THREADS_MAX = 64;
/** Node's name for the thread that serves the inspector (24.x), whatever opened it. */
const INSPECTOR_THREAD = 'InspectorIo';
const PROCESSES_MAX = 8;

/**
 * Ports that the arguments ask for; 0 stands for any.
 * node(1): --inspect[=[host:]port], --inspect-brk, --inspect-wait, --inspect-port, and --debug-port of old.
 */
export function inspectorPorts(words: readonly string[]): number[] {
  const ports: number[] = [];
  for (const [index, word] of words.entries()) {
    const match = /^--(?:inspect(?:-brk|-wait|-port)?|debug-port)(?:=(.*))?$/.exec(word);
    if (match === null) continue;
    const isPortAlone = /-port$/.test(word);
    const value = match[1] ?? (isPortAlone ? (words[index + 1] ?? '') : '');
    const port = /(?:^|:)(\d{1,5})$/.exec(value)?.[1];
    ports.push(port === undefined ? INSPECTOR_PORT : Number(port));
  }
  return ports;
}

function isOpen(files: Files, pid: number): boolean {
  return files
    .some(`/proc/${pid}/task`, THREADS_MAX)
    .some((id) => files.read(`/proc/${pid}/task/${id}/comm`, 64)?.startsWith(INSPECTOR_THREAD));
}

/** What it was started with; not of a process in D, whose memory may not be read (tree.ts). */
function wordsOf(files: Files, stat: Stat): string[] {
  if (stat.state === 'D') return [];
  const command = files.read(`/proc/${stat.pid}/cmdline`, COMMAND_BYTES_MAX) ?? '';
  const options = environValue(readEnviron(files, stat), 'NODE_OPTIONS') ?? '';
  return [...command.split('\0'), ...options.split(/\s+/)];
}

function peerOf(files: Files, stat: Stat, rows: readonly TcpRow[]): number | undefined {
  const asked = inspectorPorts(wordsOf(files, stat));
  const isUsual = rows.some(({ port, state }) => port === INSPECTOR_PORT && state === LISTEN);
  if (asked.length === 0 && !isUsual && !isOpen(files, stat.pid)) return undefined;
  const mine = socketsOf(files, stat.pid);
  const own = rows.filter(({ inode }) => mine.has(inode));
  const listening = own.filter(({ state }) => state === LISTEN);
  // Opened while Node starts, before any line of the program runs: the first of its sockets.
  const first = listening.toSorted(
    (a, b) => (mine.get(a.inode) ?? 0) - (mine.get(b.inode) ?? 0),
  )[0];
  const ports = new Set([
    INSPECTOR_PORT,
    ...asked,
    ...(asked.includes(0) && first ? [first.port] : []),
  ]);
  const open = listening.filter(({ port }) => ports.has(port)).map(({ port }) => port);
  return own.find(({ port, state }) => state === ESTABLISHED && open.includes(port))?.port;
}

/** @param members of the component's tree, the main process first. */
export function findDebugger(
  files: Files,
  members: readonly Stat[],
): { readonly pid: number; readonly port: number } | undefined {
  const [main] = members;
  // One table for all: a tree whose processes live in different network namespaces is not debugged on a till.
  const rows = main === undefined ? [] : readTcp(files, main.pid);
  for (const stat of members.slice(0, PROCESSES_MAX)) {
    const port = peerOf(files, stat, rows);
    if (port !== undefined) return { pid: stat.pid, port };
  }
  return undefined;
}
