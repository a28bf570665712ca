// Notices that something runs under another version than before: the agent, a component, the system, a device's
// firmware. What ran is remembered on disk, so that a change is noticed by the agent that comes after an upgrade;
// each is told once. What is seen for the first time is no change, and what is not there now is not forgotten: a
// printer that is switched off and comes back with new firmware was upgraded.

import type { NewEvent } from '../../protocol/events.ts';
import type { Sample } from '../../protocol/metric-body.ts';

export type What = 'agent' | 'component' | 'os' | 'firmware';
export type Seen = { readonly what: What; readonly name: string; readonly version: string };
/** By `what name`. */
export type KnownVersions = Readonly<Record<string, string>>;

/** Devices can be plugged in without end; a till has a dozen of things with a version. */
export const VERSIONS_KNOWN_MAX = 200;
const VERSION_CHARS_MAX = 200;

/** What a sample says of versions; `unknown` says nothing. */
export function versionsIn(samples: readonly Sample[]): Seen[] {
  return samples.flatMap(({ name, labels, value }): Seen[] => {
    // That is how one says that it was.
    if (value === 0) return [];
    const of = (label: string): string => labels[label] ?? '';
    switch (name) {
      case 'pos_agent_info':
        return [{ what: 'agent', name: 'tillwatch', version: of('version') }];
      case 'pos_host_info':
        return [{ what: 'os', name: 'system', version: `${of('os')}, kernel ${of('kernel')}` }];
      case 'pos_component_info':
        return [{ what: 'component', name: of('component'), version: of('version') }];
      case 'pos_device_info':
        return [{ what: 'firmware', name: of('device'), version: of('firmware') }];
      default:
        return [];
    }
  });
}

const isKnown = ({ name, version }: Seen): boolean =>
  name !== '' && version !== '' && version !== 'unknown';

export class Versions {
  readonly #known: Map<string, string>;

  constructor(remembered: KnownVersions = {}) {
    this.#known = new Map(Object.entries(remembered).slice(0, VERSIONS_KNOWN_MAX));
  }

  known(): KnownVersions {
    return Object.fromEntries(this.#known);
  }

  /** @returns what changed, and whether there is anything to remember. */
  see(all: readonly Seen[]): { readonly events: readonly NewEvent[]; readonly isNew: boolean } {
    const events: NewEvent[] = [];
    let isNew = false;
    // Two of one name, or a series that was left behind: the last one counts, or each sweep would have news.
    const last = new Map(all.filter(isKnown).map((one) => [`${one.what} ${one.name}`, one]));
    for (const [key, { what, name, version }] of last) {
      const to = version.slice(0, VERSION_CHARS_MAX);
      const from = this.#known.get(key);
      if (from === to || (from === undefined && this.#known.size >= VERSIONS_KNOWN_MAX)) continue;
      this.#known.set(key, to);
      isNew = true;
      if (from === undefined) continue;
      const component = what === 'component' ? name : '';
      events.push({ kind: 'version_changed', component, fields: { what, name, from, to } });
    }
    return { events, isNew };
  }
}
