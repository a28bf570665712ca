// Whom the command line believes: not a machine in between, whatever the environment says, and not a file that somebody
// else has put in its way.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createClient } from '../../cli/client.ts';
import { findOperator } from '../../cli/operator.ts';
import { lookAt } from '../../cli/pin.ts';
import { OWN_PROTOCOL } from '../../protocol/enrolment.ts';
import { Authority, listen } from '../real/tls-rig.ts';
import { folder, must } from './fleet-rig.ts';

afterEach(() => vi.unstubAllEnvs());

/** A broker that a test stands for: what it was sent, and by which certificate it is somebody. */
async function serverOf(authority: Authority) {
  const { certificate, key } = await authority.broker();
  const asked: string[] = [];
  const cert = certificate + authority.certificate;
  const options = { cert, key, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] } as const;
  const server = createServer(options, (request, response) => {
    asked.push(String(request.headers.authorization));
    response.end('{"terminals":{}}');
  });
  server.on('tlsClientError', () => undefined);
  return { server, asked };
}

async function open(server: Server | ReturnType<typeof createTcp>): Promise<string> {
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return `https://127.0.0.1:${port}`;
}

describe('a pinned authority', () => {
  it('is the only one that is believed, also where the environment says that none matters', async () => {
    const [ours, theirs] = [await Authority.make(), await Authority.make()];
    const between = await serverOf(theirs);
    const url = await open(between.server);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const client = createClient({ url, token: 'tws1.secret', authority: ours.certificate });
    const reply = await client.get('/api/v1/fleet');
    expect(reply).toMatchObject({
      ok: false,
      sentence: expect.stringContaining('nothing was sent'),
    });
    const unpinned = createClient({ url, token: 'tws1.secret' });
    expect((await unpinned.get('/api/v1/fleet')).ok).toBe(false);
    expect(between.asked).toEqual([]);
  });

  it('is shown by a broker that shows people the certificate of another', async () => {
    const [fleet, company] = [await Authority.make(), await Authority.make('a company')];
    const own = await serverOf(fleet);
    const shown = await serverOf(company);
    const gate = createTcp((socket) => {
      socket.once('data', (hello) => {
        socket.pause();
        socket.unshift(hello);
        (hello.includes(OWN_PROTOCOL) ? own : shown).server.emit('connection', socket);
      });
      socket.on('error', () => undefined);
    });
    const url = await open(gate);
    const found = must(await lookAt(new URL(url)));
    expect(found.last?.fingerprint).toBe(fleet.fingerprint);
    expect(found.authorities).toHaveLength(2);
    for (const { certificate } of [fleet, company]) {
      const client = createClient({ url, token: 'tws1.secret', authority: certificate });
      expect(await client.get('/api/v1/fleet')).toMatchObject({ ok: true });
    }
    expect([own.asked.length, shown.asked.length]).toEqual([1, 1]);
    own.server.closeAllConnections();
    shown.server.closeAllConnections();
  });
});

describe('the file of a demo', () => {
  const planted = (url: string, mode = 0o600): string => {
    const at = folder();
    mkdirSync(join(at, '.tillwatch'));
    const path = join(at, '.tillwatch', 'operator.json');
    writeFileSync(path, JSON.stringify({ url, token: 'of-the-file' }));
    chmodSync(path, mode);
    const below = join(at, 'below');
    mkdirSync(below);
    return below;
  };
  const env = { XDG_CONFIG_HOME: '/nowhere', TILLWATCH_API_TOKEN: 'mine' };

  it('gets no token of the environment for a broker elsewhere', () => {
    const operator = must(findOperator(env, planted('https://evil.example')));
    expect(operator).toEqual({ url: 'https://evil.example', token: 'of-the-file' });
    const here = must(findOperator(env, planted('http://127.0.0.1:8081')));
    expect(here).toEqual({ url: 'http://127.0.0.1:8081', token: 'mine' });
  });

  it('that others may write is not believed', () => {
    const at = planted('http://127.0.0.1:8081', 0o666);
    expect(must(findOperator(env, at)).url).toBe('http://127.0.0.1:8080');
  });

  it.runIf(process.getuid?.() === 0)(
    'that somebody else has put there is not believed',
    async () => {
      const { chownSync } = await import('node:fs');
      const at = planted('http://127.0.0.1:8081');
      chownSync(join(at, '..', '.tillwatch', 'operator.json'), 65_534, 65_534);
      expect(must(findOperator(env, at)).url).toBe('http://127.0.0.1:8080');
    },
  );
});

it('a token goes in plain text to this machine only', () => {
  const env = { TILLWATCH_URL: 'http://broker.example', TILLWATCH_API_TOKEN: 'mine' };
  expect(findOperator(env, '/')).toMatchObject({
    ok: false,
    reason: expect.stringContaining('plain text'),
  });
  expect(findOperator({ ...env, TILLWATCH_URL: 'http://localhost:1' }, '/').ok).toBe(true);
});
