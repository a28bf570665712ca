// A bar code scanner: frames end with the suffix that it is set to, and what stays without one for longer
// than the gap between two bytes is no frame. Most scanners cannot be asked how they are, so an open port
// proves nothing: the device is `unknown` until a good scan came, and a silent one shows only in the rate of
// good scans beside its neighbours'. Bytes that no bar code has mean another speed of the line.

import type { Driver, Tools } from '../device/device.ts';
import type { Look } from '../device/machine.ts';
import type { Conversation, Reader } from '../transports/conversation.ts';

export type ScannerSettings = {
  readonly suffix?: string;
  /** Removed from the front; STX always is. */
  readonly prefix?: string;
  readonly gapMs?: number;
};
export type Scan = { readonly number: number; readonly data: string; readonly timeMs: number };
type Frame = { readonly kind: 'scan'; readonly data: string } | { readonly kind: 'bad' };

const GAP_MS = 100;
/** The longest GS1 DataMatrix holds 3116 digits; nothing at a till comes near. */
const FRAME_BYTES_MAX = 4_096;
const SCANS_KEPT_MAX = 100;
/** One bad frame is a nudge of the cable, three in a row are a wrong setting. */
const BAD_FRAMES_MAX = 3;
const IDLE_POLL_MS = 1_000;
const STX = '\x02';
const ETX = '\x03';
/** GS (FNC1) parts the fields of a GS1 code. */
const isText = (data: string): boolean => /^[ -~]+$/.test(data.replaceAll('\x1d', ' '));

/** @param late what is left over when the gap was too long: it has no suffix */
export function frameReader(settings: ScannerSettings, late: () => void): Reader<Frame> {
  const { suffix = '\r', prefix = '', gapMs = GAP_MS } = settings;
  let held = '';
  let gap: NodeJS.Timeout | undefined;
  const frameOf = (raw: string): Frame => {
    let body = raw.startsWith('\n') ? raw.slice(1) : raw;
    if (body.startsWith(STX)) body = body.slice(1);
    if (body.startsWith(prefix)) body = body.slice(prefix.length);
    if (body.endsWith(ETX)) body = body.slice(0, -1);
    return isText(body) ? { kind: 'scan', data: body } : { kind: 'bad' };
  };
  return {
    push: (bytes) => {
      clearTimeout(gap);
      held += Buffer.from(bytes).toString('latin1');
      const parts = held.split(suffix);
      held = parts.pop() ?? '';
      const frames = parts.filter((part) => part !== '' && part !== '\n').map(frameOf);
      const tooLong = held.length > FRAME_BYTES_MAX;
      if (tooLong) held = '';
      if (held !== '') {
        gap = setTimeout(() => {
          held = '';
          late();
        }, gapMs);
      }
      return tooLong ? [...frames, { kind: 'bad' }] : frames;
    },
  };
}

export class ScannerDriver implements Driver<Frame> {
  readonly class = 'Scanner';
  readonly idlePollMs = IDLE_POLL_MS;
  readonly #settings: ScannerSettings;
  readonly #now: () => number;
  readonly #onScan: () => void;
  #scans: Scan[] = [];
  #number = 0;
  #good = 0;
  #bad = 0;
  #waiting: (() => void)[] = [];
  /** A good scan came over this connection. */
  #known = false;

  /** @param onScan something is to be looked at soon */
  constructor(settings: ScannerSettings, now: () => number, onScan: () => void) {
    this.#settings = settings;
    this.#now = now;
    this.#onScan = onScan;
  }

  goodScans = (): number => this.#number;

  /** The newest after `number`, oldest first; as many as are kept. */
  after = (number: number): readonly Scan[] => this.#scans.filter((scan) => scan.number > number);

  /** Resolves with the next scan, or when `limitMs` is over. */
  next(limitMs: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, limitMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        done();
      });
    });
  }

  reader = (): Reader<Frame> => {
    this.#bad = 0;
    return frameReader(this.#settings, () => this.heard({ kind: 'bad' }));
  };

  heard = (frame: Frame): void => {
    if (frame.kind === 'bad') {
      this.#bad += 1;
      if (this.#bad === BAD_FRAMES_MAX) this.#onScan();
      return;
    }
    this.#bad = 0;
    this.#good += 1;
    this.#number += 1;
    this.#scans.push({ number: this.#number, data: frame.data, timeMs: this.#now() });
    // A till that does not fetch its scans loses the oldest, as from a keyboard's buffer.
    if (this.#scans.length > SCANS_KEPT_MAX) this.#scans.shift();
    for (const tell of this.#waiting.splice(0)) tell();
    this.#onScan();
  };

  look = (_talk: Conversation<Frame>, tools: Tools): Promise<Look> => {
    tools.count('GoodScanCount', this.#good);
    const heard = this.#good > 0;
    this.#good = 0;
    if (this.#bad >= BAD_FRAMES_MAX) return Promise.resolve({ kind: 'probe', fault: 'garbage' });
    if (heard) this.#known = true;
    return Promise.resolve({ kind: this.#known ? 'well' : 'unknown' });
  };

  attached = (): Promise<void> => {
    this.#known = false;
    return Promise.resolve();
  };
}
