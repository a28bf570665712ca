// One agent per run directory: two of them would each start every component. The lock is a listening socket
// in the abstract namespace [unix(7)], named after the directory's real path: the kernel drops it with its
// owner whatever kills that, so there is no stale file to judge, and Node has no flock(2). Its reach is one
// network namespace and any local user could take the name, which refuses to start but never starts twice.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { codeOf } from './files.ts';

export type Release = () => void;

const ASK_TIMEOUT_MS = 500;

/** Who holds it says so to whoever connects; only for the sentence, so any failure is "unknown". */
function askHolder(name: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path: name });
    let answer = '';
    const settle = () => {
      socket.destroy();
      resolve(/^\d{1,10}\n$/.test(answer) ? answer.trim() : 'unknown');
    };
    socket.setEncoding('latin1');
    socket.setTimeout(ASK_TIMEOUT_MS, settle);
    socket.on('data', (chunk: string) => {
      answer = (answer + chunk).slice(0, 16);
    });
    socket.once('end', settle);
    socket.once('error', settle);
  });
}

function listen(name: string): Promise<Result<Release> | 'taken'> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy()); // the asker went away
      socket.end(`${process.pid}\n`);
    });
    server.once('error', (error) => {
      const code = codeOf(error);
      resolve(code === 'EADDRINUSE' ? 'taken' : fail(`cannot lock the run directory: ${code}`));
    });
    server.listen({ path: name }, () => {
      server.unref();
      resolve(ok(() => void server.close()));
    });
  });
}

/** The directory must exist. Held until released or until this process ends, however it ends. */
export async function lockRunDir(dir: string): Promise<Result<Release>> {
  let real: string;
  try {
    real = realpathSync(dir);
  } catch (error) {
    return fail(`run directory ${dir} cannot be opened: ${codeOf(error)}`);
  }
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 32);
  const name = `\0tillwatch-${hash}`;
  const answer = await listen(name);
  if (answer !== 'taken') return answer;
  return fail(
    `another agent (pid ${await askHolder(name)}) already runs with run directory ${dir}`,
  );
}
