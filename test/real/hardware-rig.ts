// The hardware component as a real process against a pretend device, over TCP or over a pseudo-terminal, so
// that each fault is tested on both. What is missing for pseudo-terminals is said by name; where everything
// is required (TILLWATCH_REQUIRE=all) it is a failure.

import { join } from 'node:path';
import { describe } from 'vitest';
import { type Emulator, missingForPty, Pty } from '../../terminal/hardware/emulators/index.ts';
import { type Json, type Program, Rig, until } from './terminal-rig.ts';

export type Wire = 'tcp' | 'pty';
const missing = missingForPty();
const mustHavePty = process.env['TILLWATCH_REQUIRE'] === 'all';

/** Runs the same stories over each wire. */
export function overEachWire(name: string, stories: (wire: Wire) => void): void {
  describe(`${name}, over TCP`, () => stories('tcp'));
  overPty(name, stories);
}
export function overPty(name: string, stories: (wire: Wire) => void): void {
  const title = `${name}, over a pseudo-terminal`;
  if (missing.length === 0 || mustHavePty) describe(title, () => stories('pty'));
  else
    describe.skip(`${title} (skipped: ${missing.join(', ')} is not installed)`, () =>
      stories('pty'));
}

/** One component with one device on one wire. */
export class Bench<E extends Emulator> {
  readonly rig = new Rig();
  readonly emulator: E;
  readonly wire: Wire;
  program: Program | undefined;
  #pty: Pty | undefined;
  #port = 0;

  constructor(wire: Wire, emulator: E) {
    this.wire = wire;
    this.emulator = emulator;
  }

  get path(): string {
    return this.pty.path;
  }

  get pty(): Pty {
    if (this.#pty === undefined) throw new Error('this bench has no pseudo-terminal');
    return this.#pty;
  }

  async prepare(): Promise<void> {
    this.#port = await this.emulator.listen();
    if (this.wire === 'tcp') return;
    if (missing.length > 0) throw new Error(`install ${missing.join(' and ')}`);
    this.#pty = new Pty(join(this.rig.dir, 'line'), this.#port);
    await this.#pty.plug();
  }

  transport(serial: Json = {}): Json {
    if (this.wire === 'tcp') return { kind: 'tcp', host: '127.0.0.1', port: this.#port };
    return { kind: 'serial', path: this.path, baud: 9_600, ...serial };
  }

  async start(devices: readonly Json[]): Promise<void> {
    this.program = await this.rig.start('hardware', {
      POS_DEVICES: JSON.stringify(devices),
      POS_LOG_LEVEL: 'debug',
    });
  }

  /** The device is not there any more. */
  async unplug(): Promise<void> {
    if (this.wire === 'pty') await this.pty.unplug();
    else await this.emulator.drop();
  }

  async replug(): Promise<void> {
    if (this.wire === 'pty') await this.pty.plug();
    else await this.emulator.comeBack();
  }

  async device(name: string): Promise<Json> {
    const list = (await this.ask('GET', '/devices'))?.json['devices'] as Json[] | undefined;
    return list?.find((one) => one['name'] === name) ?? {};
  }

  /** Waits until the device shows all of `facts`. */
  async becomes(name: string, facts: Json, limitMs = 25_000): Promise<Json> {
    let last: Json = {};
    const isSo = async (): Promise<Json | undefined> => {
      last = await this.device(name);
      return Object.entries(facts).every(([key, value]) => last[key] === value) ? last : undefined;
    };
    return await until(`${name} to be ${JSON.stringify(facts)}`, isSo, limitMs).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
  }

  ask(method: 'GET' | 'POST', path: string, body?: unknown) {
    return this.rig.ask('hardware', method, path, body);
  }

  metric(series: string): Promise<number | undefined> {
    return this.rig.metric('hardware', series);
  }

  /** How many series the component exposes. */
  async series(): Promise<number> {
    const text = String((await this.ask('GET', '/metrics'))?.json['text'] ?? '');
    return text.split('\n').filter((one) => one !== '' && !one.startsWith('#')).length;
  }

  async close(): Promise<void> {
    await this.rig.close();
    await this.#pty?.close();
    await this.emulator.close();
  }
}
