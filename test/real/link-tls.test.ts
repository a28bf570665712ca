// The link under TLS against a real TLS server with aedes behind it: who is believed, through which proxies, and in which
// order a list of addresses is tried.

import type { Socket } from 'node:net';
import { Aedes } from 'aedes';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../agent/absence/absence.ts';
import type { KnownTime } from '../../agent/link/judge.ts';
import { openSession, type Session, type SessionOptions } from '../../agent/link/session.ts';
import { formatHello, parseHello } from '../../protocol/hello.ts';
import { realTimers, until } from './link-rig.ts';
import { Authority, type Closing, connectProxy, OPEN, tlsServer, USE } from './tls-rig.ts';

const HOUR_MS = 3_600_000;
const HELLO = { machine: '0123456789abcdef', instance: 'fedcba9876543210', trust: 3 };

let fleet: Authority;
let other: Authority;
let lane: Awaited<ReturnType<Authority['terminal']>>;
let aedes: Aedes;
const opened: Closing[] = [];
const sessions: Session[] = [];
const names: (string | undefined)[] = [];

beforeAll(async () => {
  fleet = await Authority.make('ours');
  // Of the same name: names decide nothing.
  other = await Authority.make('ours');
  lane = await fleet.terminal('lane-1');
  aedes = await Aedes.createBroker({
    authenticate: (_client, name, _password, done) => {
      names.push(name ?? undefined);
      done(null, true);
    },
  });
});
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy('the test is over');
  for (const one of opened.splice(0)) await one.close();
  names.length = 0;
});
afterAll(() => new Promise<void>((done) => aedes.close(() => done())));

const keep = <T extends Closing>(one: T): T => {
  opened.push(one);
  return one;
};
const handle = (socket: Socket): void => {
  aedes.handle(socket);
};

async function broker(pair = fleet.broker(), by = fleet, more = {}): Promise<number> {
  return keep(await tlsServer(by, await pair, handle, more)).port;
}

type Ended = { up: boolean; reason: string };

/** Opens one session; resolves when it is up or down. */
function open(port: number, more: Partial<SessionOptions> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const session = openSession(
      {
        ...{ terminal: 'lane-1', host: '127.0.0.1', port, credentials: lane, timers: realTimers },
        ...{ connectTimeoutMs: 3_000, ...more },
      },
      {
        onUp: () => resolve({ up: true, reason: '' }),
        onAck: () => undefined,
        onCommand: () => undefined,
        onDown: (reason) => resolve({ up: false, reason }),
      },
    );
    sessions.push(session);
  });
}

describe('under TLS', () => {
  test('a terminal with its certificate is let in, by address and by name, and says who it is', async () => {
    const username = formatHello(HELLO);
    expect(await open(await broker(), { username })).toEqual({ up: true, reason: '' });
    expect(await open(await broker(), { host: 'localhost', username })).toMatchObject({ up: true });
    expect(names.map((name) => parseHello(name))).toEqual([HELLO, HELLO]);
  });

  test('a terminal without a certificate of this fleet never gets as far as MQTT', async () => {
    const port = await broker();
    const stranger = await other.terminal('lane-1');
    const credentials = { ...stranger, authorities: lane.authorities };
    const { up, reason } = await open(port, { credentials });
    expect(up).toBe(false);
    // Node's servers do not say by an alert what they refuse; aedes never sees it.
    expect(reason).toBe('the broker closed the connection before it answered');
    expect(names).toEqual([]);
  });

  test.each([
    [
      'of another authority of the same name',
      async () => other.broker(),
      /not issued by this fleet/,
    ],
    [
      "another terminal's",
      () => fleet.issue({ commonName: 'broker', use: [USE.client], names: ['127.0.0.1'] }),
      /not made for a broker/,
    ],
    [
      'for no use in particular',
      () => fleet.issue({ commonName: 'broker', use: [], names: ['127.0.0.1'] }),
      /not made for a broker/,
    ],
    ['for another host', () => fleet.broker(['broker.example.com']), /not made for 127\.0\.0\.1/],
    [
      'that has the host as its common name only',
      () => fleet.issue({ commonName: '127.0.0.1', use: [USE.server] }),
      /not made for 127\.0\.0\.1/,
    ],
  ])('whoever shows a certificate %s is no broker', async (_what, make, why) => {
    let heard = 0;
    const count = (socket: Socket): void => {
      socket.on('data', () => {
        heard += 1;
      });
    };
    const server = keep(await tlsServer(fleet, await make(), count));
    const { up, reason } = await open(server.port);
    expect(up).toBe(false);
    expect(reason).toMatch(/^the broker's certificate is refused: /);
    expect(reason).toMatch(why);
    expect(heard).toBe(0);
    expect(failureOf(reason)).toBe('refused');
  });

  test('an older TLS is not spoken', async () => {
    const port = await broker(fleet.broker(), fleet, {
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    });
    expect((await open(port)).up).toBe(false);
  });

  test('a broker certificate that is over is refused, once it is known what time it is', async () => {
    const past = fleet.issue({
      ...{ commonName: 'broker', use: [USE.server], names: ['127.0.0.1'] },
      ...{ fromMs: Date.now() - 20 * HOUR_MS, untilMs: Date.now() - HOUR_MS },
    });
    const port = await broker(past);
    const at = (time: KnownTime) => open(port, { time: () => time });
    const known = await at({ nowMs: Date.now(), floorMs: 0 });
    expect(known.reason).toMatch(/has expired/);
    expect((await at({ nowMs: undefined, floorMs: Date.now() })).reason).toMatch(/has expired/);
    // A till whose clock is wrong must still find its broker, which tells it the time.
    expect(await at({ nowMs: undefined, floorMs: Date.now() - 2 * HOUR_MS })).toMatchObject({
      up: true,
    });
  });

  test('a till whose clock is years behind finds its broker all the same', async () => {
    const soon = fleet.issue({
      ...{ commonName: 'broker', use: [USE.server], names: ['127.0.0.1'] },
      fromMs: Date.now() + HOUR_MS,
    });
    expect(await open(await broker(soon))).toMatchObject({ up: true });
  });
});

describe('through a proxy', () => {
  const via = (port: number, authorization?: string) => ({
    proxy: { host: '127.0.0.1', port, authorization },
  });

  test('the link goes by CONNECT, and what it carries is still between terminal and broker', async () => {
    const proxy = keep(await connectProxy(() => OPEN));
    const port = await broker();
    expect(await open(port, via(proxy.port))).toMatchObject({ up: true });
    expect(proxy.requests).toEqual([
      `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
    ]);
  });

  test('name and password are shown where they are configured, and asked for where they are not', async () => {
    const basic = `Basic ${Buffer.from('till:s3cret').toString('base64')}`;
    const proxy = keep(
      await connectProxy((head) =>
        head.includes(`\r\nProxy-Authorization: ${basic}\r\n`)
          ? OPEN
          : 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n',
      ),
    );
    const port = await broker();
    expect(await open(port, via(proxy.port, basic))).toEqual({ up: true, reason: '' });
    const unnamed = await open(port, via(proxy.port));
    expect(unnamed.reason).toBe('the proxy wants a name and a password (407)');
    expect(failureOf(unnamed.reason)).toBe('refused');
    const misnamed = await open(port, via(proxy.port, 'Basic eDp5'));
    expect(misnamed.reason).toBe('the proxy does not accept our name and password (407)');
  });

  test('what is no proxy, says nothing or is not there is told in words', async () => {
    const port = await broker();
    const garbage = keep(await connectProxy(() => 'SSH-2.0-OpenSSH_9.6\r\n\r\n'));
    expect((await open(port, via(garbage.port))).reason).toMatch(/is no proxy/);
    const forbidden = keep(await connectProxy(() => 'HTTP/1.1 403 Forbidden\r\n\r\n'));
    expect((await open(port, via(forbidden.port))).reason).toBe(
      `the proxy does not allow a connection to 127.0.0.1:${port} (403)`,
    );
    const silent = keep(await connectProxy(() => ''));
    const late = await open(port, { ...via(silent.port), connectTimeoutMs: 200 });
    expect(late.reason).toMatch(/did not answer within 200 ms|closed the connection/);
    const gone = await connectProxy(() => OPEN);
    await gone.close();
    expect((await open(port, via(gone.port))).reason).toMatch(
      /^the proxy is not reached: .*REFUSED/,
    );
  });
});

test('leaving says goodbye under TLS too', async () => {
  let wills = 0;
  aedes.on('publish', (packet) => {
    if (packet.topic.endsWith('/up/gone')) wills += 1;
  });
  const port = await broker();
  expect(await open(port)).toMatchObject({ up: true });
  await sessions.at(-1)?.leave(500);
  await until('it has gone', () => aedes.connectedClients === 0);
  expect(wills).toBe(0);
});
