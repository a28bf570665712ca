// How the agent introduces itself and what it watches: at its start, and again when something else runs than was told
// last. What was left running is named, so that nobody takes a new agent for a restart of it.

import { hostname, release, type as systemName } from 'node:os';
import type { NewEvent } from '../protocol/events.ts';
import type { Component } from './component.ts';
import { configurationView } from './configuration/view.ts';
import type { Rooms } from './rooms.ts';
import { timeZoneOf } from './time-zone.ts';
import { AGENT_VERSION } from './version.ts';

export class Introduction {
  readonly #rooms: Rooms;
  readonly #components: () => readonly Component[];
  #inventory = '';

  constructor(rooms: Rooms, components: () => readonly Component[]) {
    this.#rooms = rooms;
    this.#components = components;
  }

  /** Who is here now. */
  begin(adopted: readonly string[]): void {
    const { log, ports } = this.#rooms;
    const node = process.versions.node;
    const bootId = ports.clock.bootId();
    log.info('agent started', { version: AGENT_VERSION, node, pid: process.pid, adopted });
    const { sendMs } = this.#rooms.config.sampling;
    const fields = { version: AGENT_VERSION, node, bootId, adopted: [...adopted], sendMs };
    this.#report({ kind: 'agent_started', component: '', fields });
    this.tell();
  }

  /** At the start, and when something else runs than was told. */
  tell(): void {
    const components = this.#components().map((component) => {
      const { name, version, policy } = component;
      return { name, version, mode: policy.mode };
    });
    const { configuration: keeper, settings } = this.#rooms;
    const configuration = configurationView(keeper, settings.isApplied);
    const text = JSON.stringify([components, configuration]);
    if (text === this.#inventory) return;
    this.#inventory = text;
    const os = `${systemName()} ${release()}`;
    const { environment, ports } = this.#rooms;
    const zone = timeZoneOf(environment, ports.files);
    const timeZone = zone === undefined ? {} : { timeZone: zone };
    const about = { os, hostname: hostname(), ...timeZone, configuration };
    const fields = { agent: AGENT_VERSION, ...about, components };
    this.#report({ kind: 'inventory', component: '', fields });
  }

  #report(event: NewEvent): void {
    this.#rooms.outbox.addEvent(event);
  }
}
