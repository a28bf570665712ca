// A cash drawer on its printer's plug. It is a device of its own to the till, but the printer's connection
// and state carry it. Whether the sensor's pin is high or low when the drawer is open differs by wiring
// and model, so that is a setting; without a sensor nobody can say whether a drawer opened.

import { sleep } from '../../shared/loops.ts';
import type { Called, Device, Facts, Health, Trouble } from '../device/device.ts';
import { type ErrorCode, SENTENCES, type Statistic } from '../device/upos.ts';
import { kick, queuedKick } from '../escpos.ts';
import type { PrinterFacts } from './printer.ts';

export type DrawerSettings = {
  readonly pin?: 2 | 5;
  readonly pulseMs?: number;
  /** What pin 3 means. `none`: there is no sensor. */
  readonly openWhen?: 'high' | 'low' | 'none';
  /** `queued` is for printers without the real-time command; it waits behind what is printed. */
  readonly kick?: 'realtime' | 'queued';
};
type Ground = {
  readonly name: string;
  readonly settings: DrawerSettings;
  readonly printer: Device;
  readonly printerFacts: () => PrinterFacts;
  readonly send: (bytes: Uint8Array) => Promise<boolean>;
};

/** A drawer springs open within a few tenths of a second. */
const OPENS_MS = 1_500;
const LOOK_MS = 100;

export class Drawer implements Device {
  readonly #ground: Ground;
  readonly #errors = new Map<ErrorCode, number>();
  readonly #statistics: Partial<Record<Statistic, number>> = {};
  #claimed = false;
  #enabled = false;
  #failed = false;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  get name(): string {
    return this.#ground.name;
  }

  open = (): Called => ({ ok: true });
  claim = (): Called => {
    this.#claimed = true;
    return { ok: true };
  };
  enable = (): Called => {
    if (!this.#claimed) return { ok: false, code: 'E_NOTCLAIMED' };
    this.#enabled = true;
    return { ok: true };
  };
  disable = (): Promise<Called> => {
    this.#enabled = false;
    return Promise.resolve({ ok: true });
  };
  release = (): Promise<Called> => {
    this.#claimed = false;
    return this.disable();
  };
  close = (): Promise<Called> => this.release();
  wake = (): void => undefined;

  /** @returns undefined when there is no sensor or nothing was heard yet. */
  isOpen(): boolean | undefined {
    const { settings, printerFacts } = this.#ground;
    const { openWhen = 'high' } = settings;
    const { drawerHigh } = printerFacts();
    if (openWhen === 'none' || drawerHigh === undefined) return undefined;
    return drawerHigh === (openWhen === 'high');
  }

  /** Kicks the drawer and, with a sensor, waits until it is seen open. */
  async openDrawer(): Promise<Called> {
    if (!this.#enabled) return { ok: false, code: 'E_DISABLED' };
    const { settings, send } = this.#ground;
    const { pin = 2, pulseMs = 200, openWhen = 'high' } = settings;
    const pulse = settings.kick === 'queued' ? queuedKick : kick;
    if (!(await send(pulse(pin, pulseMs)))) return this.#end('E_OFFLINE');
    if (openWhen === 'none') return { ok: true };
    for (let waitedMs = 0; waitedMs < OPENS_MS; waitedMs += LOOK_MS) {
      if (this.isOpen() === true) return this.#end(undefined);
      this.#ground.printer.wake();
      await sleep(LOOK_MS);
    }
    return this.#end('E_FAILURE');
  }

  /** Its printer carries it. */
  reopen = (): Promise<Health> => this.#ground.printer.reopen();

  checkHealth = async (level: 'INTERNAL' | 'EXTERNAL'): Promise<Health> => {
    if (level === 'INTERNAL') return await this.#ground.printer.checkHealth('INTERNAL');
    const opened = await this.openDrawer();
    const text = opened.ok ? 'the drawer was kicked' : 'the drawer did not open';
    return { level, ok: opened.ok, text };
  };

  facts = (): Facts => {
    const printer = this.#ground.printer.facts();
    const reachable = printer.trouble?.said !== 'of the connection';
    const failed: Trouble = {
      code: 'E_FAILURE',
      said: 'by the device',
      text: `the ${this.name} did not open when it was told to`,
    };
    const trouble = this.#failed ? failed : reachable ? undefined : printer.trouble;
    return {
      ...{ name: this.name, class: 'CashDrawer', claimed: this.#claimed, enabled: this.#enabled },
      state: !this.#enabled ? 'CLOSED' : trouble === undefined ? 'IDLE' : 'ERROR',
      // Paper out says nothing about the drawer: it opens all the same.
      power: reachable && printer.power === 'OFFLINE' ? 'ONLINE' : printer.power,
      trouble,
      errors: this.#errors,
      reopened: 0,
      probeSeconds: undefined,
      statistics: this.#statistics,
    };
  };

  #end(code: ErrorCode | undefined): Called {
    const counted: Statistic = code === undefined ? 'DrawerGoodOpenCount' : 'DrawerFailedOpenCount';
    this.#statistics[counted] = (this.#statistics[counted] ?? 0) + 1;
    this.#failed = code === 'E_FAILURE';
    if (code === undefined) return { ok: true };
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
    return { ok: false, code };
  }
}

export const drawerSentence = (code: ErrorCode): string => `The drawer ${SENTENCES[code]}.`;
