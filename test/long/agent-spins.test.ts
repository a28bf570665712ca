// What takes a real agent several seconds to decide: a main thread that spins, a black box, and what is only slow, busy
// or held by a human and must be left alone. Shipped settings; the quick ones are in test/real.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, freePort, http, isAlive, Rig, until } from '../real/agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

describe('a component that', () => {
  it('spins is killed and healed', async () => {
    rig.configure([fault('spinning', ['--mode', 'spin', '--hang-after-ms', '1500'])]);
    void rig.start();
    const { opened, recovered } = await rig.healed('spinning');
    expect(opened.message).toContain('main thread is spinning');
    expect(recovered['detectedMs']).toBeGreaterThanOrEqual(4_500);
  });

  it('spins while a worker beats for it is found by its probe', async () => {
    const port = await freePort();
    const knobs = [
      '--mode',
      'lie',
      '--lie-spin',
      '--hang-after-ms',
      '1500',
      '--port',
      String(port),
    ];
    rig.configure([fault('lying', knobs, { probes: [http(port)] })]);
    void rig.start();
    const { opened } = await rig.healed('lying');
    // On a crowded machine no thread gets a whole core: then its processor time is told.
    expect(opened.message).toMatch(
      /probes in a row failed and its main thread use(s a whole core|d \d+\.\d s of processor)/,
    );
  });

  it('says nothing of us is watched by its probe alone', async () => {
    const port = await freePort();
    const knobs = ['--mode', 'block', '--hang-after-ms', '2500', '--port', String(port)];
    rig.configure([fault('box', knobs, { channel: false, probes: [http(port)] })]);
    void rig.start();
    const { opened } = await rig.healed('box');
    expect(opened.cause).toBe('unresponsive');
  });

  it('computes for four seconds, works hard all the time or speaks a lot is left alone', async () => {
    const toiler = resolve('test/real/agent-toiler.ts');
    const chatter = [process.execPath, resolve('test/real/agent-chatter.ts'), '10000'];
    rig.configure([
      fault('slow', ['--gc-ms', '4000']),
      { name: 'hard', command: [process.execPath, toiler] },
      { name: 'requests', command: chatter },
      { name: 'chatter', command: [...chatter, 'raw'] },
    ]);
    void rig.start();
    const slow = await rig.ready('slow');
    const hard = await rig.ready('hard');
    await new Promise((done) => setTimeout(done, 12_000));
    expect([isAlive(slow), isAlive(hard)]).toEqual([true, true]);
    expect(rig.log().filter((line) => line.message.includes('incident'))).toEqual([]);
  });

  it('a human debugs is not killed', async () => {
    const command = [process.execPath, '--inspect=0', resolve('test/real/witness-component.ts')];
    rig.configure([{ name: 'held', command, version: '1', witness: true }]);
    void rig.start();
    const pid = await rig.ready('held');
    const folder = join(rig.folder, 'data', 'logs');
    const text = () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.log'))
        .map((name) => readFileSync(join(folder, name), 'utf8'))
        .join('');
    const url = await until('the inspector listens', () => /ws:\/\/\S+/.exec(text())?.[0]);
    const socket = new WebSocket(url);
    await new Promise((done) => socket.addEventListener('open', done));
    const paused = new Promise((done) => {
      socket.addEventListener('message', ({ data }) => {
        if (String(data).includes('Debugger.paused')) done(undefined);
      });
    });
    for (const [id, method] of ['Debugger.enable', 'Debugger.pause'].entries()) {
      socket.send(JSON.stringify({ id: id + 1, method }));
    }
    await paused;
    await until('the agent sees it', () =>
      rig.lines('held').find(({ message }) => message.includes('is being debugged')),
    );
    await new Promise((done) => setTimeout(done, 2_500));
    expect(rig.copies('held')).toEqual([pid]);
    expect(rig.lines('held').filter(({ message }) => /killed|incident/.test(message))).toEqual([]);
    socket.close(); // and it goes on
    await new Promise((done) => setTimeout(done, 1_000));
    expect(rig.copies('held')).toEqual([pid]);
  });
});

describe('an agent that does not run for five seconds', () => {
  it('holds nothing against its components when it goes on, and still finds one that hangs', async () => {
    rig.configure([fault('sale'), fault('sync')]);
    void rig.start();
    const sale = await rig.ready('sale');
    const sync = await rig.ready('sync');
    rig.agent?.kill('SIGSTOP');
    await new Promise((done) => setTimeout(done, 5_000));
    rig.agent?.kill('SIGCONT');
    await until('it notices', () =>
      rig.log().some((line) => line.message.includes('did not run for a while')),
    );
    process.kill(sync, 'SIGSTOP');
    const { opened } = await rig.healed('sync');
    expect(opened['cause']).toBe('hang');
    expect(rig.copies('sale')).toEqual([sale]);
    expect(rig.lines('sale').filter((line) => line.to === 'suspect')).toEqual([]);
  });
});
