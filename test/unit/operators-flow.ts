// What operators do of themselves and with each other over HTTP, once: for the test that holds every answer against the
// OpenAPI document.

import { type open, TOKEN } from './http-rig.ts';

type Rig = Awaited<ReturnType<typeof open>>;
type See = (at: string, answer: Awaited<ReturnType<Rig['get']>>) => unknown;

export async function signInAndOut({ app }: Pick<Rig, 'app'>, see: See): Promise<void> {
  const ask = (at: string, path: string, token: string, payload?: object) => {
    const [method = ''] = at.split(' ');
    const headers = { authorization: `Bearer ${token}` };
    return app.inject({ method: method as 'GET', url: path, headers, ...(payload && { payload }) });
  };
  const API = '/api/v1/operators';
  const added = await ask(`POST ${API}`, API, TOKEN, { name: 'kim', role: 'admin' });
  see(`POST ${API}`, added);
  const { token } = added.json<{ token: string }>();
  const SESSION = '/api/v1/session';
  const entered = await ask(`POST ${SESSION}`, SESSION, '', { token });
  see(`POST ${SESSION}`, entered);
  const { session } = entered.json<{ session: string }>();
  see(`GET ${SESSION}`, await ask(`GET ${SESSION}`, SESSION, session));
  see(`GET ${API}`, await ask(`GET ${API}`, API, session));
  const one = `PATCH ${API}/{name}`;
  see(one, await ask(one, `${API}/kim`, session, { role: 'viewer' }));
  see(one, await ask(one, `${API}/kim`, session, { role: 'admin' }));
  see(one, await ask(one, `${API}/lee`, session, { role: 'admin' }));
  see(`DELETE ${SESSION}`, await ask(`DELETE ${SESSION}`, SESSION, session));
  const renewed = `POST ${API}/{name}/token`;
  see(renewed, await ask(renewed, `${API}/kim/token`, TOKEN));
}
