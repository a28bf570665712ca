// The room of stores on a registry of its own, with real identities, real maintenances and a clock that is set by hand.

import { onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { openIdentities } from '../../broker/identity/identities.ts';
import { openMaintenances } from '../../broker/maintenance/room.ts';
import type { StoreText } from '../../broker/stores/shape.ts';
import { openStoresRoom } from '../../broker/stores/stores.ts';
import { quiet, rig } from './fleet-rig.ts';
import { fakeTrust, SETTINGS } from './identity-rig.ts';

export const ADA = { name: 'ada', role: 'admin' } as const;
export const REASON = 'as planned';

export function open(options: Parameters<typeof rig>[0] = {}) {
  let wallMs = Date.parse('2026-06-10T10:00:00Z');
  let monotonicMs = 0;
  const clock = { wallMs: () => wallMs, monotonicMs: () => monotonicMs };
  const back = rig({ clock, terminals: [], ...options });
  const { time, metrics } = back;
  const { trust } = fakeTrust(clock.wallMs);
  const logged: string[] = [];
  const log = { ...quiet, error: (what: string) => logged.push(what) };
  const start = () => {
    const { fleet } = back;
    const { database } = fleet;
    const { timers } = time;
    const audit = openAudit(database, clock, metrics);
    const shared = { fleet, audit, clock, timers, metrics, log };
    const identities = openIdentities({
      ...{ ...shared, trust, settings: SETTINGS },
      addresses: () => ({ brokers: [], urls: [] }),
      count: () => undefined,
    });
    const stores = openStoresRoom({ ...shared, identities });
    const nothing = () => ({ ok: false, kind: 'invalid', reason: 'not here' }) as const;
    const maintenances = openMaintenances({
      ...{ ...shared, stores },
      bulks: { plan: nothing, start: nothing, abort: nothing, get: () => undefined },
      commands: { createOwn: nothing, onFinished: () => () => undefined },
    });
    return { audit, identities, stores, maintenances };
  };
  let running = start();
  const stop = (): void => {
    running.maintenances.close();
    running.identities.close();
  };
  onTestFinished(stop);
  return {
    ...{ back, logged },
    get fleet() {
      return back.fleet;
    },
    get rooms() {
      return running;
    },
    /** ISO 8601; time only goes on. */
    at: (iso: string): void => {
      const to = Date.parse(iso);
      monotonicMs += Math.max(0, to - wallMs);
      wallMs = to;
    },
    plan: (stores: readonly StoreText[], prune = false) =>
      running.stores.plan({ stores, prune, actor: ADA }),
    /** Shows and applies, as the command line does. */
    apply: (stores: readonly unknown[], prune = false, reason = REASON) => {
      const planned = running.stores.plan({ stores, prune, actor: ADA });
      if (!planned.ok) return planned;
      const { digest } = planned.plan;
      return running.stores.apply({ stores, prune, actor: ADA, digest, reason });
    },
    /** `kind store: sentence` of each change. */
    said: (stores: readonly StoreText[], prune = false): readonly string[] => {
      const planned = running.stores.plan({ stores, prune, actor: ADA });
      if (!planned.ok) return [planned.reason];
      return planned.plan.changes.map(
        ({ kind, store, sentence }) => `${kind} ${store}: ${sentence}`,
      );
    },
    restart: (): void => {
      stop();
      back.reopen();
      running = start();
    },
  };
}

export const store = (id: string, more: Partial<StoreText> = {}): StoreText => ({
  ...{ id, region: 'north', timeZone: 'Europe/Berlin' },
  ...more,
});
