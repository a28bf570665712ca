// Card numbers in the places where a component can put words that the agent keeps: on the channel, in the names of its
// processes and files, and just where a text is cut. None of them may reach the state machine, the bundle on
// disk or the summary (PCI DSS 3.3, 3.4; design.md section 4).

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ChannelEvent, openChannel } from '../../agent/channel/server.ts';
import { cut } from '../../agent/channel/work.ts';
import { exitEvidence, type Subject } from '../../agent/evidence/inquiry.ts';
import { openRing } from '../../agent/evidence/ring.ts';
import { socketFiles } from '../../agent/system/disk.ts';
import type { Model } from '../../agent/watchdog/state.ts';
import { newWatch } from '../../agent/watchdog/watch.ts';
import { control, log, ports, start, until } from './control-rig.ts';

const AMEX = '378282246310005';
const VISA = '4111111111111111';
/** More of a number than may be kept: the first six and the last four. */
const isCard = (text: string): boolean => /3782822463|41111111111/.test(text);

describe('a card number', () => {
  it('in what a component says is gone before anybody hears it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tw-cards-'));
    const events: ChannelEvent[] = [];
    const path = join(folder, 's');
    const who = { component: 'sale', instance: 'i', token: 't', pid: 7 };
    const opened = await openChannel({
      ...{ path, timers: ports.timers, files: socketFiles, log },
      expected: () => ({ ...who, beatMs: 500, deadlineMs: 3_000 }),
      onEvent: (event) => events.push(event),
    });
    if (!opened.ok) throw new Error(opened.reason);
    const open = (role: string, ...lines: object[]) => {
      const socket = connect({ path });
      const all = [{ kind: 'hello', v: 1, role, ...who }, ...lines];
      socket.write(all.map((line) => `${JSON.stringify(line)}\n`).join(''));
      return socket;
    };
    const main = open(
      'main',
      { kind: 'status', text: `paying with ${VISA}` },
      { kind: 'trouble', reason: `refused ${VISA}`, remote: true },
      { kind: 'busy', id: '1', reason: `a sale on ${AMEX}`, ceilingMs: 1 },
      { kind: 'begin', id: '1', name: `tender: ${VISA}`, deadlineMs: 1 },
    );
    const witness = open('witness', { kind: 'status', text: 'here' });
    witness.on('data', (chunk) => {
      if (!chunk.toString().includes('"evidence"')) return;
      const stack = Array.from({ length: 20 }, (_, n) => `pay${VISA} (${AMEX}.js:${n})`);
      const line = { kind: 'evidence', stack, reason: `at ${VISA}` };
      witness.write(`${JSON.stringify(line)}\n`);
    });
    try {
      await until('all was said', () => events.filter(({ kind }) => kind === 'said').length === 5);
      const answer = await opened.value.askStack('sale');
      expect(answer?.stack).toHaveLength(20);
      expect(isCard(JSON.stringify([events, answer]))).toBe(false);
      expect(JSON.stringify(events)).toContain('"name":"tender: [PAN visa ....1111]"');
    } finally {
      main.destroy();
      witness.destroy();
      await opened.value.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('that a cut would leave half of is not left at all', () => {
    expect(isCard(cut(`${'x'.repeat(486)}${VISA}`))).toBe(false);
    expect(cut(`${'x'.repeat(486)}4111 1111 1111 1111`)).toBe('x'.repeat(486));
    expect(cut('lane 12')).toBe('lane 12');
    expect(cut('x'.repeat(600))).toHaveLength(500);
  });

  it('in the names of processes, threads and files is not evidence', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tw-cards-'));
    const long = join(folder, 'x'.repeat(159 - folder.length - 8));
    mkdirSync(long);
    const file = join(long, `ab ${VISA}`);
    writeFileSync(file, '');
    const line = 'printf "$1" >/proc/$$/comm; exec 7<"$2"; echo up; while :; do sleep 1; done';
    try {
      const { life } = await start(['sh', '-c', line, 'sh', AMEX, file]);
      await until('it is up', () => readFileSync(life.logFile, 'utf8') === 'up\n');
      const json = JSON.stringify(control.evidence(life));
      expect(json).toContain('xxx/ab ');
      expect(isCard(json)).toBe(false);
      await control.killTree(life);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('in a status is neither in the bundle on disk nor in the summary, wherever it is cut', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tw-cards-'));
    const ring = openRing({
      ...{ folder, bundlesMax: 9, bytesMax: 1e6, clock: ports.clock, log },
    });
    const model = { watch: newWatch(0), state: 'ready' } as unknown as Model;
    const subject: Subject = {
      ...{ name: 'sale', life: undefined, model },
      status: `${'x'.repeat(186)}${VISA} and ${AMEX}`,
      answers: new Map([['http-0', `${'x'.repeat(186)}${VISA}`]]),
    };
    const probed = newWatch(0).probes;
    Object.assign(model.watch, {
      probes: new Map([...probed, ['http-0', { failures: 1, goodAt: 0 }]]),
    });
    const summary = exitEvidence(subject, { code: 1, signal: undefined }, { ports, ring });
    await ring.settled();
    const [name = ''] = readdirSync(join(folder, 'sale'));
    const bundle = readFileSync(join(folder, 'sale', name), 'utf8');
    rmSync(folder, { recursive: true });
    expect(bundle).toContain('xxx');
    expect(isCard(bundle)).toBe(false);
    expect(isCard(JSON.stringify(summary))).toBe(false);
  });
});
