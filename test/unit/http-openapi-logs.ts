// Every answer of the routes for logs that http-openapi.test.ts does not get by itself.

import type { open } from './http-rig.ts';

type Rig = Awaited<ReturnType<typeof open>>;
type Answer = Awaited<ReturnType<Rig['get']>>;
type See = (at: string, answer: Answer) => unknown;

export async function askTailAndCancel({ get, post }: Rig, see: See): Promise<void> {
  const window = { sinceMs: 1, untilMs: 2, level: 'warn', pattern: 'a+b', last: 3, context: 1 };
  const ask = { ...window, searchMs: 5_000, reason: 'a look' };
  const selector = { terminals: ['lane-1'] };
  see('POST /api/v1/logs', await post('/api/v1/logs', { ...ask, selector }));
  see('POST /api/v1/logs', await post('/api/v1/logs', { ...ask, selector: {} }));
  const tail = { level: 'info', text: 'x', raise: 'debug', forMs: 60_000, reason: 'a look' };
  const tailing = await post('/api/v1/terminals/lane-1/tail', tail);
  see('POST /api/v1/terminals/{id}/tail', tailing);
  const { id } = tailing.json<{ id: string }>();
  see('GET /api/v1/logs/{id}', await get(`/api/v1/logs/${id}`));
  const cancel = () => post(`/api/v1/logs/${id}/cancel`, { reason: 'seen enough' });
  see('POST /api/v1/logs/{id}/cancel', await cancel());
  see('POST /api/v1/logs/{id}/cancel', await cancel());
  see('GET /api/v1/logs', await get('/api/v1/logs?what=tail&state=cancelled&terminal=lane-1'));
  see('GET /api/v1/logs/search', await get('/api/v1/logs/search?text=receipt&sinceMs=1'));
  const content = `/api/v1/logs/${id}/content`;
  see('GET /api/v1/logs/{id}/content', await get(`${content}?level=error&text=x`));
  see('GET /api/v1/logs/{id}/content', await get(`${content}?pattern=(`));
}
