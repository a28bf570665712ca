// Orders that the agent gives to a component beside stop and heal, and what the component answers: how much to log, for
// a while, and to open a device anew. A component gives hooks for those that it knows; what it has no hook for is
// answered with no, and a component whose client is older says nothing, which the agent takes for the same.

import type { FromComponent, ToComponent } from './messages.ts';

export type OrderHandlers = {
  /** Log so much; undefined: as before. Ends by itself at its time, also when the agent is gone. */
  readonly onLevel?: (level: string | undefined) => void;
  /** Close that device and open it again. @returns what to tell the operator. */
  readonly onReopen?: (
    device: string,
  ) => Promise<{ readonly ok: boolean; readonly reason: string }>;
};

type Order = Extract<ToComponent, { kind: 'level' | 'reopen' }>;

/** Longer nobody logs more than usual, whatever was asked. */
const LEVEL_MS_MAX = 24 * 3_600_000;
const REASON_CHARS_MAX = 500;

export class Orders {
  readonly #handlers: OrderHandlers;
  readonly #send: (message: FromComponent) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(handlers: OrderHandlers, send: (message: FromComponent) => void) {
    this.#handlers = handlers;
    this.#send = send;
  }

  hear(order: Partial<Order> & { readonly kind: Order['kind'] }): void {
    if (order.kind === 'level') this.#level(order);
    else if (order.kind === 'reopen') void this.#reopen(order);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #answer(id: string | undefined, ok: boolean, reason = ''): void {
    if (typeof id !== 'string' || id === '') return;
    this.#send({ kind: 'answer', id, ok, reason: reason.slice(0, REASON_CHARS_MAX) });
  }

  #level({ id, level, untilMs }: Partial<Extract<Order, { kind: 'level' }>>): void {
    const { onLevel } = this.#handlers;
    if (onLevel === undefined || typeof level !== 'string' || typeof untilMs !== 'number') {
      this.#answer(id, false, 'it cannot change how much it logs');
      return;
    }
    clearTimeout(this.#timer);
    const leftMs = Math.min(LEVEL_MS_MAX, untilMs - Date.now());
    onLevel(leftMs > 0 ? level : undefined);
    if (leftMs > 0) {
      this.#timer = setTimeout(() => onLevel(undefined), leftMs);
      this.#timer.unref();
    }
    this.#answer(id, true);
  }

  async #reopen({ id, device }: Partial<Extract<Order, { kind: 'reopen' }>>): Promise<void> {
    const { onReopen } = this.#handlers;
    if (onReopen === undefined || typeof device !== 'string') {
      this.#answer(id, false, 'it has no devices');
      return;
    }
    try {
      const { ok, reason } = await onReopen(device);
      this.#answer(id, ok, reason);
    } catch (error) {
      this.#answer(id, false, error instanceof Error ? error.message : String(error));
    }
  }
}
