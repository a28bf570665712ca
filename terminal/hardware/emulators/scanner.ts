// A bar code scanner to test against: sends what it is told to have read, with the framing that it is set
// to, whole or in pieces; falls silent, drops off and comes back.

import { Emulator, type Send, type Session } from './emulator.ts';

const HOSTS_MAX = 8;

export type ScannerFraming = { readonly prefix?: string; readonly suffix?: string };

export class ScannerEmulator extends Emulator {
  readonly #framing: Required<ScannerFraming>;
  readonly #hosts = new Set<Send>();
  #isSilent = false;
  /** What hosts sent, such as E and D to switch it on and off. */
  heard = '';

  constructor(framing: ScannerFraming = {}) {
    super();
    this.#framing = { prefix: '', suffix: '\r', ...framing };
  }

  /** Beeps and sends nothing: worn window, wrong symbology, broken cable. */
  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent;
  }

  /** @returns how many hosts got it. */
  scan(data: string): number {
    const { prefix, suffix } = this.#framing;
    return this.sendRaw(Buffer.from(`${prefix}${data}${suffix}`, 'latin1'));
  }

  /** Bytes as they are, also a part of a scan. */
  sendRaw(bytes: Uint8Array): number {
    if (this.#isSilent) return 0;
    for (const send of this.#hosts) send(bytes);
    return this.#hosts.size;
  }

  protected connect(send: Send): Session {
    if (this.#hosts.size < HOSTS_MAX) this.#hosts.add(send);
    return {
      receive: (bytes) => {
        this.heard = (this.heard + Buffer.from(bytes).toString('latin1')).slice(-1_000);
      },
      end: () => {
        this.#hosts.delete(send);
      },
    };
  }
}
