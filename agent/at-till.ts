// What somebody who stands at the till can ask of the agent: status, hold and release, over the control socket. Other
// verbs register their own handlers. A till whose control socket cannot be opened still sells and still heals,
// so that is said and tried again, and ends nothing.

import { join } from 'node:path';
import { CONTROL_SOCKET } from '../protocol/till.ts';
import {
  type ControlAnswer,
  type ControlHandler,
  type ControlSocket,
  openControlSocket,
} from './control-socket.ts';
import { type Hold, stillHeld } from './hold.ts';
import type { Log, Timers } from './ports.ts';
import { socketFiles } from './system/disk.ts';

export type AtTillOptions = {
  readonly runDir: string;
  readonly timers: Timers;
  readonly log: Log;
  readonly hold: Hold;
  readonly view: () => unknown;
};

/** Until a socket that could not be opened is tried again. */
const RETRY_MS = 60_000;

export class AtTill {
  readonly #options: AtTillOptions;
  readonly #handlers = new Map<string, ControlHandler>();
  #socket: ControlSocket | undefined;
  #cancelRetry: () => void = () => undefined;
  #closed = false;

  constructor(options: AtTillOptions) {
    this.#options = options;
    const { hold, view } = options;
    this.register('status', () => ({ ok: true, value: view() }));
    this.register(
      'hold',
      ({ forMs, reason, by }): ControlAnswer => hold.begin({ forMs, reason, by }),
    );
    this.register('release', ({ by }) => {
      const released = hold.release(typeof by === 'string' ? by : 'somebody at the till');
      const still = hold.view();
      return {
        ok: true,
        value: { released, ...(still === undefined ? {} : { still: stillHeld(still) }) },
      };
    });
  }

  register(kind: string, handler: ControlHandler): void {
    this.#handlers.set(kind, handler);
    this.#socket?.register(kind, handler);
  }

  async open(): Promise<void> {
    const { runDir, timers, log } = this.#options;
    const path = join(runDir, CONTROL_SOCKET);
    const opened = await openControlSocket({ path, timers, files: socketFiles, log });
    if (this.#closed) {
      if (opened.ok) await opened.value.close();
      return;
    }
    if (!opened.ok) {
      log.error(`nobody can ask at the till: ${opened.reason}`, { path });
      this.#cancelRetry = timers.after(RETRY_MS, () => void this.open());
      return;
    }
    for (const [kind, handler] of this.#handlers) opened.value.register(kind, handler);
    this.#socket = opened.value;
  }

  keep(): void {
    this.#socket?.keep();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#socket?.close();
  }
}
