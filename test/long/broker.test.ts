// The broker as a program, as an operator runs it: a configuration file, a data folder, ports, signals.
// Terminals are real MQTT clients in this process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parsePublicKey, verifyCommand } from '../../protocol/commands.ts';
import { type Bench, eventBatch, MAIN, openBench } from '../real/broker-rig.ts';
import { connectTerminal, until } from '../real/front-rig.ts';

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench.close());

describe('the broker program', () => {
  test('starts, tells where it is, and ends on SIGTERM within two seconds whoever is connected', async () => {
    const broker = await bench.start();
    const till = await connectTerminal(broker.mqttPort, 'lane-1');
    expect(await (await fetch(`${broker.url}/readyz`)).json()).toEqual({ status: 'ok' });
    await till.send(eventBatch(1, 'lane-1'));
    const startMs = performance.now();
    broker.child.kill('SIGTERM');
    expect(await broker.exit).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(2_500);
    expect(existsSync(bench.data('broker.json'))).toBe(false);
    await until('the terminal is disconnected', till.closed);
    const again = await bench.start();
    again.child.kill('SIGINT');
    expect(await again.exit).toBe(0);
  });

  test('says in one sentence which port is taken, leaves nothing, and exits 69', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    for (const what of ['mqtt', 'http']) {
      const file = join(bench.dir, `${what}.yaml`);
      const other = what === 'mqtt' ? 'http' : 'mqtt';
      const ports = `${what}: { port: ${port} }\n${other}: { port: 0 }\n`;
      writeFileSync(file, `plainText: true\ndataDir: data\n${ports}`);
      const { exit, said } = bench.launch(file);
      expect(await exit).toBe(69);
      expect(said()).toBe(
        `${what}.port: 127.0.0.1:${port} is taken by another program; stop it or choose another port\n`,
      );
      expect(existsSync(bench.data('broker.json'))).toBe(false);
    }
    holder.close();
  });

  test('without plainText and without an authority says how to make one', async () => {
    const file = join(bench.dir, 'bare.yaml');
    writeFileSync(file, 'dataDir: data\n');
    const { exit, said } = bench.launch(file);
    expect(await exit).toBe(69);
    expect(said()).toContain('tillwatch broker init');
    expect(existsSync(bench.data('api-token'))).toBe(false);
  });

  test('tells every problem of a configuration and exits 64', async () => {
    const file = join(bench.dir, 'bad.yaml');
    writeFileSync(file, 'plainText: true\nmqtt: { host: 0.0.0.0 }\nhttp: { port: -1 }\n');
    const { exit, said } = bench.launch(file);
    expect(await exit).toBe(64);
    const lines = said().trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^http\.port: must be a whole number/);
    expect(lines[1]).toMatch(/^mqtt\.host: must be a loopback address .* with `plainText: true`/);
    expect(existsSync(bench.data(''))).toBe(false);
    const missing = bench.launch(join(bench.dir, 'missing.yaml'));
    expect(await missing.exit).toBe(64);
    expect(missing.said()).toContain('the configuration cannot be read');
  });

  test('does not share its folder, and does not start with a secret that others may read', async () => {
    const broker = await bench.start();
    const second = bench.launch(join(bench.dir, 'broker.yaml'));
    expect(await second.exit).toBe(69);
    expect(second.said()).toContain('is in use by another broker');
    broker.child.kill('SIGKILL');
    await broker.exit;
    chmodSync(bench.data('api-token'), 0o644);
    const third = bench.launch(join(bench.dir, 'broker.yaml'));
    expect(await third.exit).toBe(69);
    expect(third.said()).toContain('may be read by others (mode 644)');
    chmodSync(bench.data('api-token'), 0o600);
    await bench.start();
  });

  test('does not start on a ledger that is none, and leaves it as it is', async () => {
    const broker = await bench.start();
    broker.child.kill('SIGTERM');
    await broker.exit;
    for (const name of readdirSync(bench.data('')).filter((n) => n.startsWith('ledger')))
      rmSync(bench.data(name));
    writeFileSync(bench.data('ledger.db'), 'precious, but no database'.repeat(100));
    const { exit, said } = bench.launch(join(bench.dir, 'broker.yaml'));
    expect(await exit).toBe(69);
    expect(said()).toMatch(/^the ledger .*ledger\.db cannot be used: /);
    expect(readFileSync(bench.data('ledger.db'), 'utf8')).toContain('precious');
  });

  test('ends when its parent is gone, if it was told to', async () => {
    const file = bench.configure();
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, [${JSON.stringify(MAIN)}, '--config',
        ${JSON.stringify(file)}, '--exit-with-parent'], { stdio: 'ignore' });
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    bench.children.push(parent);
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(text.toString());
    await until('the broker is ready', () => existsSync(bench.data('broker.json')));
    parent.kill('SIGKILL');
    await until('the broker is gone', () => !existsSync(`/proc/${pid}/cmdline`) || isZombie(pid));
    expect(existsSync(bench.data('broker.json'))).toBe(false);
  });
});

const isZombie = (pid: number): boolean => {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

describe('a terminal and its broker', () => {
  test('a signed command reaches the terminal, checked with the published key', async () => {
    const broker = await bench.start();
    const till = await connectTerminal(broker.mqttPort, 'lane-1');
    const created = await bench.api(broker.url, 'terminals/lane-1/commands', {
      kind: 'restart',
      arguments: { component: 'sale' },
      reason: 'a test',
    });
    await until('the command', () => till.commands.length > 0);
    const key = parsePublicKey(readFileSync(bench.data('command-key.pub'), 'utf8').trim());
    if (!key.ok) throw new Error(key.reason);
    const keys = new Map([[key.value.keyId, key.value.key]]);
    const command = verifyCommand(till.commands[0] ?? new Uint8Array(), keys);
    expect(command).toMatchObject({
      ok: true,
      value: { id: created['id'], terminal: 'lane-1', arguments: { component: 'sale' } },
    });
    await till.end();
  });
});
