// Orders to a component that it answers over the channel: each has an id, and one that is not answered in time was not
// understood, which is how a component of an older version refuses what it does not know.

import { randomUUID } from 'node:crypto';
import type { FromComponent, ToComponent } from '../channel/messages.ts';
import type { Cancel, Timers } from '../ports.ts';

export const ASKS_MAX = 32;
/** For a component to answer; a device may take longer (see reopen). */
export const ANSWER_MS_MAX = 3_000;

export type Answered = { readonly ok: boolean; readonly reason: string };
type Open = {
  readonly component: string;
  readonly cancel: Cancel;
  readonly end: (answered: Answered) => void;
};
type Send = (component: string, message: ToComponent) => boolean;

export class Asks {
  readonly #timers: Timers;
  readonly #send: Send;
  readonly #open = new Map<string, Open>();

  constructor(timers: Timers, send: Send) {
    this.#timers = timers;
    this.#send = send;
  }

  /** @returns what it answered; always, and within the time. */
  ask(
    component: string,
    messageOf: (id: string) => ToComponent,
    msMax = ANSWER_MS_MAX,
  ): Promise<Answered> {
    const id = randomUUID();
    return new Promise((done) => {
      if (this.#open.size >= ASKS_MAX) {
        done({ ok: false, reason: 'too many orders wait for an answer' });
        return;
      }
      if (!this.#send(component, messageOf(id))) {
        done({ ok: false, reason: `${component} has no connection over which it could be asked` });
        return;
      }
      const end = (answered: Answered): void => {
        this.#open.get(id)?.cancel();
        this.#open.delete(id);
        done(answered);
      };
      const reason = `${component} gave no answer within ${msMax} ms: it does not know this order`;
      const cancel = this.#timers.after(msMax, () => end({ ok: false, reason }));
      this.#open.set(id, { component, cancel, end });
    });
  }

  hear(component: string, { id, ok, reason = '' }: Extract<FromComponent, { kind: 'answer' }>) {
    const open = this.#open.get(id);
    if (open?.component === component) open.end({ ok, reason });
  }
}
