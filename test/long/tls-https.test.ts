// The whole broker with certificates: HTTPS for people and MQTT for terminals on one port, what each is shown, and the
// limits of HTTP in front of it: slow, large, many, often.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https, { type RequestOptions } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../broker/broker.ts';
import { loadConfig } from '../../broker/config.ts';
import { fingerprintOf } from '../../broker/trust/certificates.ts';
import { makeTrust } from '../../broker/trust/make.ts';
import { OWN_PROTOCOL } from '../../protocol/enrolment.ts';
import { until } from '../real/front-rig.ts';
import { must, newAuthority, type TestAuthority, watch } from '../real/tls-front-rig.ts';

const HOST = '127.0.0.1';
let dir: string;
let broker: Broker;
let port: number;
let publicOne: TestAuthority;
let fleetAuthority: string;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, HOST, () => {
      const address = server.address() as AddressInfo;
      server.close(() => resolve(address.port));
    });
  });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tw-https-'));
  const keysDir = join(dir, 'keys');
  const made = must(await makeTrust({ keysDir, passphrase: undefined, nowMs: Date.now() }));
  fleetAuthority = made.fingerprint;
  publicOne = await newAuthority();
  const { cert, key } = await publicOne.server();
  writeFileSync(join(dir, 'public.pem'), cert);
  writeFileSync(join(dir, 'public.key'), key, { mode: 0o600 });
  port = await freePort();
  const limits = 'httpConnectionsPerAddress: 20, httpRequestsPerSecond: 5';
  const text = [
    'dataDir: data',
    'keysDir: keys',
    'names: [broker.example]',
    `mqtt: { host: ${HOST}, port: ${port} }`,
    `http: { host: ${HOST}, port: ${port}, certificate: public.pem, key: public.key }`,
    `limits: { ${limits} }`,
  ].join('\n');
  const loaded = loadConfig(text, dir);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  broker = must(await startBroker(loaded.config));
});
afterAll(async () => {
  await broker.stop();
  rmSync(dir, { recursive: true });
});

type Answer = { readonly status: number; readonly socket: TLSSocket; readonly retry: unknown };
/** From an address of its own, so that one test's limit is not the next one's. */
function ask(
  from: string,
  more: RequestOptions & Pick<ConnectionOptions, 'ALPNProtocols'> = {},
): Promise<Answer> {
  const where = { host: HOST, port, path: '/healthz', rejectUnauthorized: false, agent: false };
  return new Promise((resolve, reject) => {
    https
      .get({ ...where, localAddress: from, ...more }, (response) => {
        response.resume();
        const retry = response.headers['retry-after'];
        const socket = response.socket as TLSSocket;
        resolve({ status: response.statusCode ?? 0, socket, retry });
      })
      .on('error', reject);
  });
}
const socketFrom = (from: string) =>
  watch(tls.connect({ host: HOST, port, localAddress: from, rejectUnauthorized: false } as never));

describe('one port', () => {
  test('is where broker.json says, by name, with the authority to believe', () => {
    const said = JSON.parse(readFileSync(join(dir, 'data', 'broker.json'), 'utf8'));
    expect(said).toMatchObject({
      ...{ mqttPort: port, httpPort: port, authority: fleetAuthority },
      url: `https://broker.example:${port}`,
    });
  });

  test('shows a browser the certificate for people, in TLS 1.3, and asks it for none', async () => {
    const ca = publicOne.certificate;
    const { status, socket } = await ask('127.0.0.2', { ca, rejectUnauthorized: true });
    expect(status).toBe(200);
    expect(socket.getProtocol()).toBe('TLSv1.3');
  });

  test("shows whoever pins the fleet's authority the fleet's certificate", async () => {
    const { status, socket } = await ask('127.0.0.2', {
      ALPNProtocols: [OWN_PROTOCOL, 'http/1.1'],
    });
    expect(status).toBe(200);
    expect(socket.alpnProtocol).toBe('http/1.1');
    const chain = socket.getPeerCertificate(true);
    const fingerprints = [chain.raw, chain.issuerCertificate?.raw].map((raw) =>
      raw === undefined ? '' : fingerprintOf(raw),
    );
    expect(fingerprints).toContain(fleetAuthority);
  });

  test('gives who asks for MQTT that, and lets nobody in without a certificate', async () => {
    const options = { host: HOST, port, rejectUnauthorized: false, ALPNProtocols: ['mqtt'] };
    const raw = await watch(tls.connect(options));
    expect(raw.socket.alpnProtocol).toBe('mqtt');
    await until('its end', raw.closed, 2_000);
  });

  test('leaves no api-token and no command key in the data folder', () => {
    for (const name of ['api-token', 'command-key.pem']) {
      expect(() => readFileSync(join(dir, 'data', name))).toThrow('ENOENT');
    }
  });
});

describe('HTTP', () => {
  test('of one address that asks too often is answered with 429, whoever it says it is', async () => {
    const headers = (n: number) => ({
      'x-forwarded-for': `10.0.0.${n}`,
      forwarded: `for=10.0.1.${n}`,
    });
    const answers = [];
    for (let n = 0; n < 10; n += 1) {
      const five = Array.from({ length: 5 }, () => ask('127.0.0.3', { headers: headers(n) }));
      answers.push(...(await Promise.all(five)));
    }
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.retry).toBe('1');
    expect((await ask('127.0.0.4')).status).toBe(200);
  });

  test('connections of one address are so many and no more, and another has its own', async () => {
    const held = await Promise.all(Array.from({ length: 20 }, () => socketFrom('127.0.0.5')));
    expect(held.filter(({ isSecure }) => isSecure).length).toBe(20);
    expect((await socketFrom('127.0.0.5')).isSecure).toBe(false);
    expect((await ask('127.0.0.6')).status).toBe(200);
    for (const { socket } of held) socket.destroy();
    await until('the broker notices', () => held.every(({ closed }) => closed()));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await ask('127.0.0.5')).status).toBe(200);
  });

  test('whose headers come byte by byte, or whose body does not come, is closed in time', async () => {
    const [headers, body] = await Promise.all([socketFrom('127.0.0.7'), socketFrom('127.0.0.8')]);
    const startMs = performance.now();
    headers.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => headers.socket.write('X-A: b\r\n'), 200);
    body.socket.write('POST /enrolment/v1/certificates HTTP/1.1\r\nHost: x\r\n');
    body.socket.write('Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{');
    await until('the end of the headers', headers.closed, 9_000);
    clearInterval(drip);
    const headersMs = performance.now() - startMs;
    expect(headersMs).toBeGreaterThan(3_000);
    expect(headersMs).toBeLessThan(9_000);
    await until('the end of the body', body.closed, 10_000);
  }, 30_000);

  test('with headers that are too large is refused', async () => {
    const raw = await socketFrom('127.0.0.9');
    raw.socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`);
    await until('its end', raw.closed, 5_000);
    expect(raw.got().toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
});
