// What every component has in common, seen from outside: the channel, metrics, the fault switch, a bad
// environment, a taken port, a damaged file and the end in good order.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMetricName } from '../../protocol/metrics.ts';
import { type Json, type Name, Rig, until } from './terminal-rig.ts';

let rig: Rig;
let agent: Server | undefined;
beforeEach(() => {
  rig = new Rig();
});
afterEach(async () => {
  await rig.close();
  agent?.close();
  agent = undefined;
});

const COMPONENTS: readonly Name[] = ['sale', 'sync', 'hardware'];
const quiet = { POS_CARD_DELAY_MS: '20', POS_LOG_LEVEL: 'error' };

/** The least of an agent: welcomes, remembers what it is told, can say a line. */
async function fakeAgent(): Promise<{ said: Json[]; say: (line: Json) => void; env: Json }> {
  const said: Json[] = [];
  const sockets: Socket[] = [];
  const path = join(rig.dir, 'channel.sock');
  agent = createServer((socket) => {
    sockets.push(socket);
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) said.push(JSON.parse(line) as Json);
    });
    socket.write('{"kind":"welcome","beatMs":50,"deadlineMs":1000}\n');
  });
  await new Promise<void>((done) => agent?.listen(path, done));
  return {
    said,
    say: (line) => sockets.at(-1)?.write(`${JSON.stringify(line)}\n`),
    env: {
      TILLWATCH_SOCKET: path,
      TILLWATCH_COMPONENT: 'sale',
      TILLWATCH_INSTANCE: 'instance',
      TILLWATCH_TOKEN: 'token',
      TILLWATCH_VERSION: '2.4.1',
    },
  };
}

describe('a component and its supervisor', () => {
  it('is ready when it serves, busy while a sale is open, and stops when told', async () => {
    const { said, say, env } = await fakeAgent();
    // A tender that takes a while is told; completing it is done in a moment and is not (channel/work.ts).
    const slow = { POS_CARD_DELAY_MS: '600' };
    const all = { ...quiet, ...slow, ...(env as Record<string, string>) };
    const program = await rig.start('sale', all);
    const kinds = (): unknown[] => said.map((line) => line['kind']);
    await until('a beat after readiness', () => {
      const ready = kinds().indexOf('ready');
      return ready >= 0 && kinds().includes('beat', ready) ? true : undefined;
    });
    const url = `http://127.0.0.1:${rig.told('sale')?.port}/metrics`;
    expect(said.find((line) => line['kind'] === 'ready')).toEqual({
      kind: 'ready',
      metricsUrl: url,
    });
    const added = await rig.ask('sale', 'POST', '/basket/items', { sku: '2000000000015' });
    const basket = added?.json['id'];
    const amountMinor = added?.json['totalMinor'];
    await rig.ask('sale', 'POST', '/basket/tender', { kind: 'card', amountMinor });
    await rig.ask('sale', 'POST', '/basket/complete', { basket });
    await until('idle', () => (kinds().includes('idle') ? true : undefined));
    const told = said.filter((line) =>
      ['busy', 'idle', 'begin', 'end'].includes(`${line['kind']}`),
    );
    expect(told).toMatchObject([
      { kind: 'busy', id: basket, ceilingMs: 180_000 },
      { kind: 'begin', name: 'tender' },
      { kind: 'end', ok: true },
      { kind: 'idle', id: basket },
    ]);
    const counted = 'pos_transactions_total{result="completed",version="2.4.1"}';
    expect(await rig.metric('sale', counted)).toBe(1);
    say({ kind: 'stop', graceMs: 2_000, reason: 'a test' });
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(kinds()).toContain('stopping');
    expect(rig.told('sale')).toBeUndefined();
  });

  it('ends in good order on SIGTERM and finishes the request that is running', async () => {
    const program = await rig.start('sale', { ...quiet, POS_CARD_DELAY_MS: '300' });
    const added = await rig.ask('sale', 'POST', '/basket/items', { sku: '2000000000015' });
    const amountMinor = added?.json['totalMinor'];
    const tender = rig.ask('sale', 'POST', '/basket/tender', { kind: 'card', amountMinor });
    await until('the tender', async () =>
      (await rig.metric('sale', 'pos_tender_in_doubt')) === 1 ? true : undefined,
    );
    program.child.kill('SIGTERM');
    expect((await tender)?.json).toMatchObject({ state: 'paid' });
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });

  it('shows at most 25 series, all of them in the catalogue', async () => {
    await Promise.all(
      COMPONENTS.map((name) => rig.start(name, { ...quiet, POS_PRINTER_PORT: '9' })),
    );
    for (const name of COMPONENTS) {
      const text = String((await rig.ask(name, 'GET', '/metrics'))?.json['text']);
      const series = text.split('\n').filter((line) => /^[a-z]/.test(line));
      expect(series.length).toBeGreaterThan(3);
      expect(series.length).toBeLessThanOrEqual(25);
      expect(series.filter((line) => !isMetricName(line.split(/[ {]/)[0] ?? ''))).toEqual([]);
    }
  });
});

describe('the fault switch', () => {
  const faulty = { ...quiet, POS_FAULTS: '1' };
  const fault = (kind: string) => rig.ask('sale', 'POST', '/fault', { kind });

  it.each(['hang', 'deadlock', 'spin'])(
    '%s leaves a process that lives and answers nothing',
    async (kind) => {
      const program = await rig.start('sale', faulty);
      expect((await fault(kind))?.status).toBe(202);
      const port = rig.told('sale')?.port;
      const signal = AbortSignal.timeout(400);
      await expect(fetch(`http://127.0.0.1:${port}/healthz`, { signal })).rejects.toThrow();
      expect(program.child.exitCode).toBeNull();
    },
  );

  it('exit and throw end the process, each with its code', async () => {
    const first = await rig.start('sale', faulty);
    await fault('exit');
    expect(await first.ended).toEqual({ code: 3, signal: null });
    const second = await rig.start('sale', faulty);
    await fault('throw');
    expect(await second.ended).toEqual({ code: 70, signal: null });
    expect(second.output()).toContain('a drill threw this');
    const third = await rig.start('sale', faulty);
    expect((await fault('nonsense'))?.status).toBe(422);
    expect(third.child.exitCode).toBeNull();
  });
});

describe('a component that cannot start as asked', () => {
  it('names every wrong variable and ends with 64', async () => {
    const program = rig.spawn('sale', {
      POS_SALE_PORT: 'http',
      POS_STORE: 'Berlin!',
      POS_DATA_DIR: '',
    });
    expect(await program.ended).toEqual({ code: 64, signal: null });
    const lines = program.output().trim().split('\n');
    expect(lines.map((line) => line.split(':')[0]).sort()).toEqual([
      'POS_DATA_DIR',
      'POS_SALE_PORT',
      'POS_STORE',
    ]);
  });

  it('says which port is taken and ends with 69', async () => {
    await rig.start('sale', quiet);
    const port = String(rig.told('sale')?.port);
    const program = rig.spawn('hardware', { POS_HARDWARE_PORT: port });
    expect(await program.ended).toEqual({ code: 69, signal: null });
    expect(program.output()).toContain(`port ${port}: another program has it`);
  });

  it('sets a damaged file aside and sells on', async () => {
    mkdirSync(rig.folder('sale'), { recursive: true });
    writeFileSync(join(rig.folder('sale'), 'sale.db'), 'not a database at all. '.repeat(500));
    await rig.start('sale');
    expect((await rig.ask('sale', 'POST', '/basket/items', { sku: '2000000000015' }))?.status).toBe(
      200,
    );
    expect(readdirSync(rig.folder('sale')).filter((file) => file.includes('damaged'))).toHaveLength(
      1,
    );
  });
});
