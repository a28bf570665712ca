// A serial line without hardware: socat holds a pseudo-terminal and carries its bytes to an emulator's TCP
// port. Unplugging is the end of socat (the device file vanishes), a line that is not read is its SIGSTOP,
// and stty tells from outside which speed the host has set (research/pos.md 0.2). Linux forces 8N1 on
// pseudo-terminals, so parity and data bits cannot be played.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const APPEARS_MS = 5_000;
const LOOK_MS = 10;

const isInPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((dir) => existsSync(join(dir, program)));

/** @returns which of the programs that a pseudo-terminal needs are missing here. */
export const missingForPty = (): readonly string[] =>
  ['socat', 'stty'].filter((program) => !isInPath(program));

export class Pty {
  /** What the host opens. */
  readonly path: string;
  readonly #port: number;
  #socat: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** @param path a name for the line, as of /dev/serial/by-id; @param port the emulator's */
  constructor(path: string, port: number) {
    this.path = path;
    this.#port = port;
  }

  async plug(): Promise<void> {
    if (this.#socat !== undefined) return;
    const line = `pty,raw,echo=0,link=${this.path}`;
    const socat = spawn('socat', [line, `TCP:127.0.0.1:${this.#port},nodelay`], {
      stdio: 'ignore',
    });
    this.#socat = socat;
    this.#ended = new Promise((done) => {
      socat.once('error', () => done());
      socat.once('exit', () => {
        if (this.#socat === socat) this.#socat = undefined;
        done();
      });
    });
    for (let waitedMs = 0; !existsSync(this.path); waitedMs += LOOK_MS) {
      if (waitedMs >= APPEARS_MS || this.#socat === undefined) {
        throw new Error('socat made no pseudo-terminal');
      }
      await pause(LOOK_MS);
    }
  }

  async unplug(): Promise<void> {
    this.#socat?.kill('SIGKILL');
    this.#socat = undefined;
    await this.#ended;
  }

  /** Nobody reads the line any more. */
  setHung(isHung: boolean): void {
    this.#socat?.kill(isHung ? 'SIGSTOP' : 'SIGCONT');
  }

  /** @returns the speed that the host has set; 0 when the line is not there. */
  async speed(): Promise<number> {
    try {
      return Number((await run('stty', ['-F', this.path, 'speed'])).stdout);
    } catch {
      return 0;
    }
  }

  close(): Promise<void> {
    return this.unplug();
  }
}
