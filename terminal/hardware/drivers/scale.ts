// A checkout scale: asked for its weight, also while nobody weighs, because that is the only way to know that
// it is there. A restless pan is no fault and is only counted in seconds; too much weight and a lost zero are
// told to the cashier. None of it ever restarts anything: a scale is legal metrology, not software.

import type { Driver, Tools } from '../device/device.ts';
import type { Look } from '../device/machine.ts';
import type { Conversation, Reader } from '../transports/conversation.ts';
import type { Protocol, Reading } from './scale-protocols.ts';

const ANSWER_MS = 1_000;
const IDLE_POLL_MS = 1_000;
const MOVING_POLL_MS = 200;

type Talk = Conversation<Reading>;

export class ScaleDriver implements Driver<Reading> {
  readonly class = 'Scale';
  readonly #protocol: Protocol;
  readonly #nowMs: () => number;
  #last: Reading | undefined;
  #unstableMs = 0;
  #unstableSinceMs: number | undefined;
  #wanted = 0;
  #heardBytes = 0;

  /** @param nowMs monotonic */
  constructor(protocol: Protocol, nowMs: () => number) {
    this.#protocol = protocol;
    this.#nowMs = nowMs;
  }

  get idlePollMs(): number {
    return this.#wanted > 0 || this.#last?.kind === 'unstable' ? MOVING_POLL_MS : IDLE_POLL_MS;
  }

  unstableSeconds(): number {
    const since = this.#unstableSinceMs;
    return (this.#unstableMs + (since === undefined ? 0 : this.#nowMs() - since)) / 1_000;
  }

  /** The newest reading; undefined before the first and while the scale cannot be reached. */
  reading = (): Reading | undefined => this.#last;

  /** Somebody waits for a weight: the scale is asked more often until `release`. */
  hurry(): { release: () => void } {
    this.#wanted += 1;
    return {
      release: () => {
        this.#wanted -= 1;
      },
    };
  }

  reader = (): Reader<Reading> => {
    const reader = this.#protocol.reader();
    return {
      push: (bytes) => {
        this.#heardBytes += bytes.length;
        return reader.push(bytes);
      },
    };
  };

  heard = (): void => undefined;

  look = async (talk: Talk, tools: Tools): Promise<Look> => {
    this.#heardBytes = 0;
    const reading = await talk.ask(this.#protocol.askWeight, () => true, ANSWER_MS);
    this.#note(reading);
    if (reading === undefined && talk.stuck) return { kind: 'probe', fault: 'stuck' };
    // Something came, and it never made an answer: another speed.
    if (reading === undefined && this.#heardBytes > 0) return { kind: 'probe', fault: 'garbage' };
    if (reading === undefined) return { kind: 'probe', fault: 'silent' };
    switch (reading.kind) {
      case 'garbage':
        return { kind: 'probe', fault: 'garbage' };
      case 'overweight':
        return { kind: 'device', code: 'ESCAL_OVERWEIGHT' };
      case 'under_zero':
        return { kind: 'device', code: 'ESCAL_UNDER_ZERO' };
      case 'broken':
        return { kind: 'device', code: 'E_FAILURE', detail: reading.detail };
      case 'weight':
        tools.count('GoodWeightReadCount');
        return { kind: 'well' };
      case 'unstable':
        return { kind: 'well' };
    }
  };

  #note(reading: Reading | undefined): void {
    const now = this.#nowMs();
    if (this.#unstableSinceMs !== undefined) this.#unstableMs += now - this.#unstableSinceMs;
    this.#unstableSinceMs = reading?.kind === 'unstable' ? now : undefined;
    this.#last = reading;
  }
}
