// Who listens on a port of this machine, from the kernel's own tables [proc_pid_net(5)]. Which process that is can only
// be seen of one's own processes, or by root: "somebody" is an answer, too.

import { readdirSync } from 'node:fs';
import { linkOf, type Process, processOf, see, textOf } from './look.ts';

const LISTEN = '0A';
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/** Inodes of the sockets that listen there. */
function socketsAt(port: number): readonly string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return TABLES.flatMap((table) => {
    const text = textOf(table);
    const rows = text.ok ? text.value.split('\n').slice(1) : [];
    return rows.flatMap((row) => {
      const [, local = '', , state, , , , , , inode] = row.trim().split(/\s+/);
      return state === LISTEN && local.endsWith(`:${hex}`) && inode !== undefined ? [inode] : [];
    });
  });
}

export type Holder =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'somebody'; readonly process: Process | undefined };

export function holderOf(port: number): Holder {
  const sockets = new Set(socketsAt(port).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return { kind: 'nobody' };
  const all = see(() => readdirSync('/proc').filter((name) => /^\d+$/.test(name)));
  for (const pid of all.ok ? all.value : []) {
    const open = see(() => readdirSync(`/proc/${pid}/fd`));
    const holds =
      open.ok && open.value.some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`) ?? ''));
    if (holds) return { kind: 'somebody', process: processOf(Number(pid)) };
  }
  return { kind: 'somebody', process: undefined };
}
