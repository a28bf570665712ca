// Stores, asked for by every route, for the test that holds answers against the OpenAPI document.

import type { open } from './http-rig.ts';

type Rig = Pick<Awaited<ReturnType<typeof open>>, 'get' | 'post'>;
type See = (at: string, answer: Awaited<ReturnType<Rig['get']>>) => unknown;

/** Says all that a store can say, so that no optional field is missing. */
const whole = {
  ...{ id: 'kiel', name: 'Kiel', region: 'north', timeZone: 'Europe/Berlin', lanes: 1 },
  hours: { 'mon-sat': '08:00-20:00' },
  exceptions: [{ date: '2026-12-24', hours: 'closed', reason: 'a holiday' }],
  labels: ['pilot'],
  terminals: ['kiel-1', { id: 'kiel-2', labels: ['self'] }],
};

export async function applyStores({ get, post }: Rig, see: See): Promise<void> {
  const API = '/api/v1/stores';
  const reason = 'two new stores';
  const stores = [whole, { id: 'bonn', region: 'west', timeZone: 'UTC' }];
  const plan = async (list: readonly object[]) =>
    see(`POST ${API}/plan`, await post(`${API}/plan`, { stores: list })) as { digest: string };
  await plan([{ id: 'X' }]);
  const { digest } = await plan(stores);
  const apply = async (body: object) =>
    see(`POST ${API}/apply`, await post(`${API}/apply`, { stores, reason, ...body }));
  await apply({ digest: '0'.repeat(64) });
  await apply({ digest });
  await plan([{ ...whole, lanes: 2 }]);
  see(`GET ${API}`, await get(API));
  see(`GET ${API}/{id}`, await get(`${API}/kiel`));
  see(`GET ${API}/{id}`, await get(`${API}/bonn`));
  see(`GET ${API}/{id}`, await get(`${API}/none`));
  see('GET /api/v1/terminals', await get('/api/v1/terminals?region=north&label=pilot'));
}
