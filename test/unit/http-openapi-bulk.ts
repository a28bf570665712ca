// Bulk actions, notices and configurations, asked for by every route, for the test that holds answers against the OpenAPI document.

import { type open, restart } from './http-rig.ts';

type Rig = Pick<Awaited<ReturnType<typeof open>>, 'get' | 'post'>;
type See = (at: string, answer: Awaited<ReturnType<Rig['get']>>) => unknown;

/** Plans one of two terminals, of which one is left out, and takes it through all of its states. */
export async function planAndAbort({ get, post }: Rig, see: See): Promise<void> {
  const API = '/api/v1/bulk';
  const { kind, arguments: args, reason } = restart;
  const plan = { kind, arguments: args, reason, selector: { store: 'berlin' } };
  const made = see(`POST ${API}`, await post(API, plan)) as { id: string; count: number };
  see(`POST ${API}`, await post(API, { ...plan, selector: {} }));
  const at = `${API}/${made.id}`;
  see(`GET ${API}`, await get(API));
  see(`GET ${API}/{id}`, await get(at));
  see(`GET ${API}/{id}`, await get(`${API}/none`));
  see(`GET ${API}/{id}/targets`, await get(`${at}/targets?limit=1`));
  const start = { count: made.count, reason };
  see(`POST ${API}/{id}/start`, await post(`${at}/start`, { ...start, count: 999 }));
  see(`POST ${API}/{id}/start`, await post(`${at}/start`, start));
  for (const change of ['pause', 'resume', 'abort']) {
    see(`POST ${API}/{id}/${change}`, await post(`${at}/${change}`, { reason }));
  }
  see(`POST ${API}/{id}/abort`, await post(`${at}/abort`, { reason }));
  see('GET /api/v1/notices', await get('/api/v1/notices?after=0&limit=5'));
}

/** Releases a version, goes back from the next one and forgets all of it. */
export async function applyAndRemove({ get, post }: Rig, see: See): Promise<void> {
  const API = '/api/v1/configurations';
  const ways = { name: `${API}/{name}`, version: `${API}/{name}/versions/{version}` };
  const reason = 'T-500';
  const plan = async (text: string) =>
    see(
      `POST ${ways.name}/plan`,
      await post(`${API}/base/plan`, { text, selector: { all: true }, reason }),
    ) as { version: { version: number }; count: number };
  const start = async ({ version, count }: Awaited<ReturnType<typeof plan>>) =>
    see(
      `POST ${ways.version}/start`,
      await post(`${API}/base/versions/${version.version}/start`, {
        ...{ count, reason, confirm: `apply ${count}` },
      }),
    ) as { bulk?: string };
  see(`POST ${ways.name}/plan`, await post(`${API}/base/plan`, { text: 'colour: red', reason }));
  for (const text of ['mode: act\n', 'mode: observe\n']) {
    const { bulk } = await start(await plan(text));
    if (bulk !== undefined) await post(`/api/v1/bulk/${bulk}/abort`, { reason });
  }
  see(`GET ${API}`, await get(API));
  see(`GET ${ways.name}`, await get(`${API}/base`));
  see(`GET ${ways.name}`, await get(`${API}/none`));
  see(`GET ${ways.name}/versions`, await get(`${API}/base/versions`));
  see(`GET ${ways.version}`, await get(`${API}/base/versions/1`));
  const back = await post(`${API}/base/rollback`, { to: 1, reason });
  see(`POST ${ways.name}/rollback`, back);
  see(`POST ${ways.name}/remove`, await post(`${API}/base/remove`, { reason }));
}
