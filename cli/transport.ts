// One HTTP request, over node:http or, with TLS, node:https. Not fetch, which can neither be told which authority to
// believe for one broker nor says why it did not. A pinned authority is the only one that is believed there: whoever
// has a certificate of a public one for the same name is still somebody else, and no environment turns that off. Idle connections are kept for the next
// question of the same run and never hold the process.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { OWN_PROTOCOL } from '../protocol/enrolment.ts';
import { isNotBelieved } from './unreachable.ts';

export type Question = {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** PEM of the authorities to believe; undefined: those that this machine knows. */
  readonly authority?: string | undefined;
  readonly signal: AbortSignal;
};

const SOCKETS_MAX = 4;
const plain = new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });
const secured = new Map<string, HttpsAgent>();

/** What is shown: the fleet's own certificate, or the one for everybody, where a broker has two (http.certificate). */
type Wanted = 'own' | 'public';

function agentFor(authority: string | undefined, wanted: Wanted): HttpsAgent {
  const key = `${wanted} ${authority ?? ''}`;
  const agent =
    secured.get(key) ??
    new HttpsAgent({
      ...{ keepAlive: true, maxSockets: SOCKETS_MAX, minVersion: 'TLSv1.2' },
      // Said, because else NODE_TLS_REJECT_UNAUTHORIZED=0, which many machines have for another program, says no.
      rejectUnauthorized: true,
      // What is pinned may itself be of a root that is not ours to believe (broker/trust/types.ts).
      ...(authority === undefined ? {} : { ca: authority, allowPartialTrustChain: true }),
      ...(wanted === 'own' ? { ALPNProtocols: [OWN_PROTOCOL, 'http/1.1'] } : {}),
    });
  secured.set(key, agent);
  return agent;
}

function once(question: Question, wanted: Wanted): Promise<IncomingMessage> {
  const { url, method, headers, body, authority, signal } = question;
  return new Promise((resolve, reject) => {
    const isSecure = url.startsWith('https:');
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, signal };
    const request = isSecure
      ? httpsRequest(url, { ...options, agent: agentFor(authority, wanted) })
      : httpRequest(url, { ...options, agent: plain });
    request.on('response', resolve);
    request.on('error', (error) => {
      // The broker had closed a kept connection while we wrote: nothing of it was read.
      const isStale = request.reusedSocket && 'code' in error && error.code === 'ECONNRESET';
      reject(isStale ? new Stale(error) : error);
    });
    request.end(body);
  });
}

class Stale extends Error {
  constructor(cause: Error) {
    super('the connection that was kept is gone', { cause });
  }
}

async function again(question: Question, wanted: Wanted): Promise<IncomingMessage> {
  try {
    return await once(question, wanted);
  } catch (error) {
    if (!(error instanceof Stale)) throw error;
    if (question.method === 'GET') return await once(question, wanted);
    throw error.cause;
  }
}

/** @returns the answer as soon as its headers are here; its body is read by the caller. */
export async function ask(question: Question): Promise<IncomingMessage> {
  if (question.authority === undefined) return await again(question, 'public');
  try {
    return await again(question, 'own');
  } catch (error) {
    // Pinned may be whose certificate people are shown. Nothing was sent yet, and the same authority is looked for.
    if (!isNotBelieved(error)) throw error;
    return await again(question, 'public');
  }
}

/** @throws Error when there is more than `bytesMax` of it. */
export async function readAll(answer: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error('an answer without an end');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
