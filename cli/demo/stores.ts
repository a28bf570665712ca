// The stores of the demo, as an operations team would write them down: regions, time zones, hours and lanes. Given to the
// broker by the same route as `tillwatch stores apply`, so that what the fleet shows of them is worked out and not made up.

import { parse } from 'yaml';
import { storesFile } from '../../agent/simulated/stores.ts';
import { simulatedTerminals } from '../../agent/simulated/terminals.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Client } from '../client.ts';
import { TILLS } from './plan.ts';

const PATH = '/api/v1/stores';
/** Around the clock: a demo is looked at whenever somebody has time. */
const ALWAYS = { 'mon-sun': 'always' };

/** The real ones. */
function ownStores(): readonly object[] {
  const byStore = Map.groupBy(TILLS, ({ store }) => store);
  return [...byStore].map(([id, tills]) => ({
    ...{ id, region: 'germany', timeZone: 'Europe/Berlin', hours: ALWAYS },
    ...{ lanes: tills.length, terminals: tills.map((till) => till.id) },
  }));
}

export async function applyStores(client: Client, simulated: number): Promise<Result<void>> {
  const file = parse(storesFile(simulatedTerminals(simulated))) as { stores: readonly object[] };
  const stores = [...ownStores(), ...(simulated > 0 ? file.stores : [])];
  const planned = await client.post<{ digest: string }>(`${PATH}/plan`, { stores });
  if (!planned.ok) return fail(`the demo's stores are not taken: ${planned.sentence}`);
  const { digest } = planned.value;
  const reason = 'the stores of the demo';
  const applied = await client.post(`${PATH}/apply`, { stores, digest, reason });
  return applied.ok ? ok(undefined) : fail(`the demo's stores: ${applied.sentence}`);
}
