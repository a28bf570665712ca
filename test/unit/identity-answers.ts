// Each route of enrolment and of a terminal's life, asked once so that it works (http-openapi.test.ts).

import { ENROL_PATH, type Enrolled, RENEW_PATH } from '../../protocol/enrolment.ts';
import type { open } from './http-rig.ts';
import { keyPair, renewalOf, requestOf } from './identity-rig.ts';

type Rig = Awaited<ReturnType<typeof open>>;
type See = (at: string, answer: Awaited<ReturnType<Rig['get']>>) => unknown;

export async function enrolAndEnd({ post, identities }: Rig, see: See): Promise<void> {
  const terminal = 'lane-2';
  const reason = 'as planned';
  const act = async (word: string, more: object = {}): Promise<unknown> => {
    const url = `/api/v1/terminals/${terminal}/${word}`;
    const at = `POST /api/v1/terminals/{id}/${word}`;
    return see(at, await post(url, { reason, ...more }));
  };
  const made = (await act('token', { store: 'berlin' })) as Parameters<typeof requestOf>[0];
  const { csr, privateKey } = keyPair();
  const answer = await post(ENROL_PATH, requestOf(made, csr));
  const { certificate } = see(`POST ${ENROL_PATH}`, answer) as Enrolled;
  const { request } = renewalOf({ certificate, privateKey });
  see(`POST ${RENEW_PATH}`, await post(RENEW_PATH, request));
  const hello = { machine: 'c'.repeat(16), instance: 'd'.repeat(16), trust: 1 };
  identities.greeted(terminal, hello, '10.0.0.1');
  await act('accept-machine');
  await act('suspend');
  await act('resume');
  await act('move', { store: 'munich' });
  await act('revoke');
  await act('replace');
  await act('retire');
  const terminals = [{ terminal: 'lane-9', store: 'berlin' }];
  see('POST /api/v1/tokens', await post('/api/v1/tokens', { terminals, reason }));
}
