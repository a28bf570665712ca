// One demo per folder at a time: a second one would clear the first one's files away under it, and ending
// what somebody watches in another window is worse than a sentence. The claim is a Linux abstract socket
// [unix(7)]: exclusive, and gone with its process however that ends, so there is no stale lock to judge.

import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

const tryOnce = (name: string): Promise<(() => void) | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: `\0${name}`, exclusive: true }, () => {
      server.unref();
      resolve(() => server.close());
    });
  });

/**
 * @param msMax how long to wait for a demo that is just ending
 * @returns how to give the claim up; undefined when another process has it
 */
export async function claim(mark: string, msMax: number): Promise<(() => void) | undefined> {
  const untilMs = performance.now() + msMax;
  for (;;) {
    const release = await tryOnce(`tillwatch-demo-${mark}`);
    if (release !== undefined || performance.now() > untilMs) return release;
    await sleep(POLL_MS);
  }
}
