// How a terminal gets its certificate, and the next one: a new key each time, a request signed with it, one question to
// the broker, and the folder. Runs in a short-lived process of its own (enrol-main.ts), because what writes certificate
// requests takes 24 MB. Key and request are on disk before they are asked with: an answer that a bad line lost is asked
// for again with the very same request, which the broker answers with the very same certificate.

import 'reflect-metadata';
import { createHash, createPrivateKey, KeyObject, sign, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import * as v from 'valibot';
import {
  ENROL_PATH,
  type Enrolled,
  type EnrolmentToken,
  type EnrolRequest,
  enrolledSchema,
  parseToken,
  RENEW_PATH,
  type RenewRequest,
} from '../../protocol/enrolment.ts';
import { ok, type Result } from '../../protocol/result.ts';
import { type Answer, type Pinned, post } from '../link/post.ts';
import { parseProxy } from '../link/proxy.ts';
import type { Timers } from '../ports.ts';
import {
  type Loaded,
  loadIdentity,
  makeIdentityFolder,
  offer,
  readSecret,
  takeOver,
  writeSecret,
} from '../system/identity-folder.ts';
import type { Done, Job } from './job.ts';
import { FILES } from './record.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Of one address. */
const ADDRESS_MS_MAX = 15_000;
/** Worth asking again [RFC 9110 15.5, RFC 8470, RFC 6585]. */
const TRANSIENT = [408, 425, 429];

const requestSchema = v.object({ for: v.string(), key: v.string(), csr: v.string() });
type Asking = v.InferOutput<typeof requestSchema>;

async function makeRequest(what: string, terminal: string): Promise<Asking> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name: `CN=${terminal}`, keys, signingAlgorithm: ALGORITHM },
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { for: what, key, csr: made.toString('pem') };
}

/** The one that waits for an answer, or a new one; `what` says which question it belongs to. */
async function requestFor(what: string, { folder, terminal }: Job): Promise<Result<Asking>> {
  const path = join(folder, FILES.request);
  const text = readSecret(path);
  if (text.ok && text.value !== undefined) {
    const read = v.safeParse(requestSchema, tryJson(text.value));
    if (read.success && read.output.for === what) return ok(read.output);
  }
  const made = await makeRequest(what, terminal);
  const written = writeSecret(path, JSON.stringify(made));
  return written.ok ? ok(made) : written;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fingerprintOf = (pem: string): string =>
  createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');

/** What came back is for this terminal and this key, from whom it claims. */
function faultIn(enrolled: Enrolled, { terminal }: Job, key: string): string {
  try {
    const certificate = new X509Certificate(enrolled.certificate);
    if (enrolled.terminal !== terminal) return `it is for ${enrolled.terminal}`;
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'it is for another key';
    const issuers = enrolled.trust.authorities.map((pem) => new X509Certificate(pem));
    const isIssued = issuers.some(
      (one) => certificate.checkIssued(one) && certificate.verify(one.publicKey),
    );
    return isIssued ? '' : 'it is of no authority that comes with it';
  } catch {
    return 'it cannot be read';
  }
}

type Asked = {
  readonly urls: readonly string[];
  readonly path: string;
  readonly body: EnrolRequest | RenewRequest;
  readonly pinned: Pinned;
};

const no = (reason: string, final = false): Done => ({ ok: false, reason, final });

/** A sentence of the broker's, wherever it stands in its answer. */
function saidIn(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const said = ['detail', 'error', 'reason', 'message'].map(
    (key) => (json as Record<string, unknown>)[key],
  );
  return said.find((one) => typeof one === 'string')?.slice(0, 300);
}

type Read = { readonly ok: true; readonly enrolled: Enrolled } | Extract<Done, { ok: false }>;

function readAnswer({ status, json }: Answer, url: string): Read {
  if (status === 200 || status === 201) {
    const read = v.safeParse(enrolledSchema, json);
    if (read.success) return { ok: true, enrolled: read.output };
    return { ok: false, reason: `${url} answered with what is no certificate`, final: false };
  }
  const isFinal = status >= 400 && status < 500 && !TRANSIENT.includes(status);
  return { ok: false, reason: saidIn(json) ?? `${url} answered ${status}`, final: isFinal };
}

type Heard =
  | (Extract<Read, { ok: true }> & { readonly url: string })
  | Extract<Done, { ok: false }>;

/** Each address in turn; the first that is believed and answers decides. */
async function askAll(asked: Asked, job: Job, timers: Timers): Promise<Heard> {
  const proxy = job.proxy === undefined ? undefined : parseProxy(job.proxy);
  let last = 'there is no address to ask';
  for (const url of asked.urls) {
    const answer = await post({
      ...{ ...asked, url, proxy, timers, timeoutMs: ADDRESS_MS_MAX },
      time: { nowMs: job.nowMs, floorMs: job.floorMs },
    });
    if (!answer.ok) {
      last = answer.reason;
      continue;
    }
    const read = readAnswer(answer.value, url);
    if (read.ok) return { ...read, url };
    if (read.final) return read;
    last = read.reason;
  }
  return { ok: false, reason: last, final: false };
}

function keep(
  { enrolled, url, key }: { enrolled: Enrolled; url: string; key: string },
  job: Job,
  token: string,
): Done {
  const { terminal, store, trust, brokers, urls, certificate } = enrolled;
  const how = job.kind === 'enrol' ? 'enrolled' : 'renewed';
  const record = { terminal, store, trust, brokers, urls, token, how } as const;
  const offered = offer(job.folder, record, { key, certificate });
  if (!offered.ok) return no(offered.reason);
  // The agent takes over a renewal; before there is an identity nobody else could.
  const isFirst = readSecret(join(job.folder, FILES.record));
  if (isFirst.ok && isFirst.value === undefined) {
    const taken = takeOver(job.folder);
    if (!taken.ok) return no(taken.reason);
  }
  const expiresMs = new X509Certificate(certificate).validToDate.getTime();
  return { ok: true, expiresMs, store, url };
}

async function enrol(job: Job, token: EnrolmentToken, timers: Timers): Promise<Done> {
  const request = await requestFor(`token ${token.id}`, job);
  if (!request.ok) return no(request.reason);
  const { csr, key } = request.value;
  const body: EnrolRequest = {
    token: { id: token.id, secret: token.secret },
    ...{ terminal: job.terminal, csr, machine: job.machine },
  };
  const pinned = { fingerprint: token.authority };
  const read = await askAll({ urls: token.urls, path: ENROL_PATH, body, pinned }, job, timers);
  if (!read.ok) return read;
  const { enrolled, url } = read;
  const fault = faultIn(enrolled, job, key);
  if (fault !== '') return no(`the certificate that came is refused: ${fault}`);
  // Whoever was believed by the token alone must be among those that are believed from now on.
  if (!enrolled.trust.authorities.some((pem) => fingerprintOf(pem) === token.authority)) {
    return no('what came lacks the authority that the token names', true);
  }
  return keep({ enrolled, url, key }, job, token.id);
}

async function renew(job: Job, { record, key, certificate, serial }: Loaded, timers: Timers) {
  const request = await requestFor(`renewal of ${serial}`, job);
  if (!request.ok) return no(request.reason);
  const { csr } = request.value;
  const signature = sign('sha256', Buffer.from(csr), createPrivateKey(key)).toString('base64');
  const body: RenewRequest = { certificate, csr, signature, machine: job.machine };
  const pinned = { authorities: record.trust.authorities };
  const read = await askAll({ urls: record.urls, path: RENEW_PATH, body, pinned }, job, timers);
  if (!read.ok) return read;
  const { enrolled, url } = read;
  const fault = faultIn(enrolled, job, request.value.key);
  if (fault !== '') return no(`the certificate that came is refused: ${fault}`);
  return keep({ enrolled, url, key: request.value.key }, job, record.token);
}

/** Does one job; expected failures are an answer. */
export async function runJob(job: Job, timers: Timers): Promise<Done> {
  const made = makeIdentityFolder(job.folder);
  if (!made.ok) return no(made.reason);
  if (job.kind === 'enrol') {
    const token = parseToken(job.token);
    if (!token.ok) return no(token.reason, true);
    if (token.value.terminal === job.terminal) return await enrol(job, token.value, timers);
    return no(`the token is for ${token.value.terminal}, not for ${job.terminal}`, true);
  }
  const loaded = loadIdentity(job.folder, job.terminal);
  if (!loaded.ok) return no(loaded.reason);
  if (loaded.value === undefined) return no('there is no certificate to renew');
  return await renew(job, loaded.value, timers);
}
