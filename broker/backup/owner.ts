// What root makes in a folder of another user goes to that user: it is who the broker runs as, and a file of root's in
// its folder would stop it later.

import { chownSync, lstatSync, statSync } from 'node:fs';

export function giveToOwner(folder: string, paths: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  for (const path of paths) {
    if (lstatSync(path).uid !== uid) chownSync(path, uid, gid);
  }
}
