// Who has which TCP port, from /proc: the table of the network namespace names sockets by inode, and the
// descriptors of a process name the same inodes. Both can be long, so both reads are bounded; listening sockets stand
// first in the table, so those are never what is cut off.

import type { Files } from '../ports.ts';

/** proc_net_tcp.rst: 0A is LISTEN, 01 is ESTABLISHED. */
export type TcpRow = {
  readonly port: number;
  readonly state: string;
  readonly inode: number;
};

const TABLE_BYTES_MAX = 256 * 1024;
const DESCRIPTORS_MAX = 4_096;

export const LISTEN = '0A';
export const ESTABLISHED = '01';

/** Rows of /proc/net/tcp or tcp6; a line that does not look as documented is left out. */
export function parseTcp(text: string | undefined): TcpRow[] {
  const rows: TcpRow[] = [];
  for (const line of (text ?? '').split('\n')) {
    const match =
      /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) (?:\S+ +){5}(\d+) /.exec(
        line,
      );
    if (match === null) continue;
    const [, port = '', state = '', inode = ''] = match;
    rows.push({ port: Number.parseInt(port, 16), state, inode: Number(inode) });
  }
  return rows;
}

/** Of the namespace that `pid` is in; a component in a container has one of its own. */
export function readTcp(files: Files, pid: number | 'self' = 'self'): TcpRow[] {
  const table = (name: string) => files.read(`/proc/${pid}/net/${name}`, TABLE_BYTES_MAX);
  return [...parseTcp(table('tcp')), ...parseTcp(table('tcp6'))];
}

const SOCKET = /^socket:\[(\d+)\]$/;

/** Inodes of a process's sockets with their descriptors; none where they may not be read. */
export function socketsOf(files: Files, pid: number): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of files.some(`/proc/${pid}/fd`, DESCRIPTORS_MAX)) {
    const match = SOCKET.exec(files.readLink(`/proc/${pid}/fd/${name}`) ?? '');
    if (match !== null) found.set(Number(match[1]), Number(name));
  }
  return found;
}
