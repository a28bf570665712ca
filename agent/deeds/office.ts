// Where commands that were judged become deeds: the sale rule of each row, the notes that belong into the answer, and
// what has to be looked at with every sweep. The deeds themselves are in table.ts.

import { join } from 'node:path';
import { catalogue } from '../../protocol/catalogue.ts';
import { AGENT_LOG, type Command } from '../../protocol/commands.ts';
import type { ChannelEvent } from '../channel/server.ts';
import type { Commands } from '../commands.ts';
import type { Detail } from '../commands-journal.ts';
import type { DrillDesk } from '../drill/desk.ts';
import type { Hands } from '../hands.ts';
import { messageOf } from '../hands.ts';
import type { Hold } from '../hold.ts';
import type { Rooms } from '../rooms.ts';
import type { Supervisor } from '../supervisor.ts';
import type { Uplink } from '../uplink.ts';
import { reporter } from '../wiring.ts';
import { Asks } from './asks.ts';
import { Levels } from './levels.ts';
import { Pending } from './pending.ts';
import { tellStopped } from './running.ts';
import { Sales } from './sale.ts';
import { deeds } from './table.ts';
import type { Desk } from './types.ts';

export type OfficeParts = {
  readonly supervisor: Supervisor;
  readonly control: Hands['control'];
  readonly send: Hands['send'];
  readonly hold: Hold;
  readonly drills: DrillDesk;
  readonly commands: () => Commands;
  readonly uplink: () => Uplink | undefined;
};

/** Of whatever kind: methods, so that a deed of one kind fits. */
type AnyDeed = {
  impossible?(command: Command, desk: Desk): string | undefined;
  touches?(command: Command, desk: Desk): readonly string[];
  run(command: Command, desk: Desk): void | Promise<void>;
};
/** The table's type ties each deed to its kind; a look-up by a union loses that tie. */
const deedOf = ({ kind }: Command): AnyDeed => deeds[kind] as AnyDeed;

export class DeedOffice {
  readonly #parts: OfficeParts;
  readonly #desk: Desk;
  readonly #sales: Sales;
  readonly #notes = new Map<string, string>();
  readonly #instead = new Map<string, (ok: boolean, reason: string) => void>();

  constructor(rooms: Rooms, parts: OfficeParts) {
    this.#parts = parts;
    const { config, ports, log, outbox } = rooms;
    const { supervisor, send } = parts;
    const { clock, timers, files } = ports;
    const components = () => supervisor.components();
    const asks = new Asks(timers, send);
    const isOwn = (name: string): boolean =>
      name === AGENT_LOG && !config.components.some((one) => one.name === name);
    const levels = new Levels({
      path: join(config.runDir, 'levels.json'),
      ...{ clock, files, log, asks, send, isOwn, setOwn: log.setLevel },
    });
    this.#sales = new Sales({
      ...{ clock, components, nowMs: () => outbox.time.nowMs() },
      refuse: (id, reason) => this.#done(id, false, reason),
    });
    this.#desk = {
      ...{
        ...parts,
        rooms,
        stopped: rooms.stopped,
        asks,
        levels,
        pending: new Pending(clock, components),
      },
      report: reporter(rooms),
      done: (...end) => this.#done(...end),
      instead: (id, hear) => this.#instead.set(id, hear),
    };
  }

  readonly impossible = (command: Command): string | undefined =>
    deedOf(command).impossible?.(command, this.#desk);

  obey(command: Command): void {
    if (catalogue[command.kind].sale !== 'waits') {
      this.#run(command);
      return;
    }
    const touched = deedOf(command).touches?.(command, this.#desk) ?? [];
    this.#sales.when(command, touched, (note) => {
      if (note !== '') this.#notes.set(command.id, note);
      this.#run(command);
    });
  }

  #run(command: Command): void {
    const failed = (error: unknown): void => {
      this.#desk.rooms.log.error(`command ${command.kind} failed`, { cause: error });
      this.#done(command.id, false, messageOf(error));
    };
    try {
      Promise.resolve(deedOf(command).run(command, this.#desk)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** From the supervisor: what became of a command that it was given. */
  ended(id: string, ok: boolean, reason: string): void {
    const hear = this.#instead.get(id);
    if (!this.#instead.delete(id)) this.#done(id, ok, reason);
    else hear?.(ok, reason);
  }

  #done(id: string, ok: boolean, reason: string, detail?: Detail): void {
    const note = this.#notes.get(id);
    this.#notes.delete(id);
    this.#parts.commands().done(id, ok, note === undefined ? reason : `${reason}, ${note}`, detail);
  }

  /** Once: what an operator had stopped before this agent began is not forgotten in the centre. */
  begun(): void {
    const { stopped, supervisor } = this.#desk;
    for (const component of supervisor.components()) {
      const stop = stopped.of(component.name);
      if (stop !== undefined) tellStopped(component, stop, this.#desk);
    }
  }

  /** All that components say; what is about a deed is taken out here. */
  readonly hear = (event: ChannelEvent): void => {
    const { asks, levels } = this.#desk;
    if (event.kind === 'connected') levels.connected(event.component);
    else if (event.kind === 'said' && event.message.kind === 'answer') {
      asks.hear(event.component, event.message);
    }
    this.#parts.supervisor.hear(event);
  };

  /** With every sweep. */
  look(): void {
    this.#sales.look();
    this.#desk.pending.look();
    this.#desk.levels.look();
  }
}
