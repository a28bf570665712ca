// How evidence is put together and bounded, and that it is told in time whatever its sources do.

import { describe, expect, it } from 'vitest';
import type { StackAnswer } from '../../agent/channel/ask.ts';
import {
  type Bundle,
  inFlightOf,
  probesOf,
  SUMMARY_CHARS_MAX,
  signatureOf,
  summaryOf,
} from '../../agent/evidence/bundle.ts';
import {
  createInquiry,
  exitEvidence,
  INQUIRY_MS_MAX,
  type Subject,
} from '../../agent/evidence/inquiry.ts';
import type { Ports } from '../../agent/ports.ts';
import type { Evidence } from '../../agent/watchdog/evidence.ts';
import type { ComponentEvent } from '../../agent/watchdog/model.ts';
import { EVIDENCE_MS_MAX, type Model } from '../../agent/watchdog/state.ts';
import { newWatch, onBegin } from '../../agent/watchdog/watch.ts';
import { tell } from './watchdog-story.ts';

const CARD = '4111111111111111';
const process = (pid: number) => ({
  ...{ pid, parent: 1, comm: 'node', state: 'S', wchan: 'futex_do_wait', syscall: '202' },
  ...{ threads: 11, descriptors: 20, residentBytes: 50_000_000, cpuMs: 120 },
  ...{ voluntarySwitches: 3, involuntarySwitches: 1 },
  threadStates: [
    { name: 'MainThread', state: 'S' },
    { name: 'V8Worker', state: 'S' },
    { name: 'V8Worker', state: 'R' },
  ],
  open: { kinds: { file: 30 }, named: Array.from({ length: 24 }, (_, n) => `/dev/tty${n}`) },
});
const system: Evidence = {
  ...{ wallMs: 1_764_000_000_000, tookMs: 4, processes: [process(7), process(8)] },
  ...{ processesMore: 0, pressure: { cpu: { some: 1.5, full: undefined } } },
  ...{ loadAverage: '0.10', debugger: undefined, trouble: undefined },
};
const bundle: Bundle = {
  ...{
    v: 1,
    component: 'sale',
    instance: 'i1',
    incident: 'x',
    phase: 'confirmed',
    exit: undefined,
  },
  ...{ wallMs: 1, state: 'suspect', status: 'open', system, inFlight: [], probes: [] },
  js: { stack: ['now (node:internal/perf:1)', 'pay (sale/pay.js:7)'], reason: undefined },
  logLines: ['one', 'two'],
};

describe('a summary', () => {
  it('tells the tree, the stack and the last lines', () => {
    const summary = summaryOf(bundle);
    expect(summary).toMatchObject({
      topFrame: 'pay (sale/pay.js:7)',
      stack: ['now (node:internal/perf:1)', 'pay (sale/pay.js:7)'],
      processes: [{ pid: 7, threadStates: 'S 2, R 1' }, { pid: 8 }],
      logLines: ['one', 'two'],
      status: 'open',
    });
    expect((summary['processes'] as { open?: unknown }[])[1]?.open).toBeUndefined();
  });

  it('never exceeds its bound, and drops the oldest lines first', () => {
    const lines = Array.from({ length: 200 }, (_, n) => `${n} ${'"'.repeat(300)}`);
    const many = Array.from({ length: 60 }, (_, n) => process(n));
    const frames = Array(20).fill(`${'f'.repeat(80)} (${'p'.repeat(70)}:1)`);
    const big: Bundle = {
      ...bundle,
      system: { ...system, processes: many, processesMore: 5 },
      js: { stack: frames, reason: undefined },
      logLines: lines,
      inFlight: Array(256).fill({ name: 'w'.repeat(200), ageMs: 1, leftMs: 1 }),
    };
    for (const charsMax of [SUMMARY_CHARS_MAX, 3_000, 500, 10]) {
      const summary = summaryOf(big, charsMax);
      if (charsMax > 10) expect(JSON.stringify(summary).length).toBeLessThanOrEqual(charsMax);
    }
    const summary = summaryOf(big) as {
      processes: unknown[];
      processesMore: number;
      logLines: string[];
    };
    expect(summary.processes.length + summary.processesMore).toBe(65);
    expect(summary.logLines.at(-1)).toMatch(/^199 /);
  });

  it('holds no card data, whatever a component names its work', () => {
    const watch = onBegin(
      newWatch(0),
      { kind: 'begin', id: '1', name: `pay ${CARD}`, deadlineMs: 5_000 },
      100,
    );
    const model = {
      watch: { ...watch, probes: new Map([['http-0', { failures: 2, goodAt: 50 }]]) },
    };
    expect(inFlightOf(model, 6_100)).toEqual([
      { name: 'pay [PAN visa ....1111]', ageMs: 6_000, leftMs: -1_000 },
    ]);
    expect(probesOf(model, new Map([['http-0', `status 500 ${CARD}`]]), 150)).toEqual([
      { probe: 'http-0', failures: 2, goodMsAgo: 100, last: 'status 500 [PAN visa ....1111]' },
    ]);
    const told = summaryOf({ ...bundle, status: `waits for ${CARD}` });
    expect(JSON.stringify(told)).not.toContain(CARD);
  });

  it('has the same signature for the same story only', () => {
    const other = { ...bundle, instance: 'i2', wallMs: 99, logLines: [] };
    expect(signatureOf(other, 'hang')).toBe(signatureOf(bundle, 'hang'));
    const elsewhere = { ...bundle, js: { stack: ['idle (a.js:1)'], reason: undefined } };
    expect(signatureOf(elsewhere, 'hang')).not.toBe(signatureOf(bundle, 'hang'));
    expect(signatureOf(bundle, 'stalled')).not.toBe(signatureOf(bundle, 'hang'));
  });
});

describe('an incident', () => {
  it('of a plain crash tells what the process left behind', () => {
    const story = tell();
    story.run(120_000);
    const left = { exit: { code: 1 }, logLines: ['out of paper'] };
    story.send({ kind: 'exited', code: 1, signal: undefined, evidence: left });
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'crash', evidence: { exit: { logLines: ['out of paper'] } } },
    ]);
    story.run(120_000);
    story.send({ kind: 'exited', code: 1, signal: undefined });
    const [second] = story.reports('incident_opened');
    expect((second as { evidence?: object }).evidence).not.toHaveProperty('exit');
  });
});

type Setup = {
  readonly askStack?: () => Promise<StackAnswer | undefined>;
  readonly readLines?: () => Promise<string[]>;
  readonly system?: Evidence;
};

function setUp({ askStack = async () => undefined, readLines = async () => [], ...more }: Setup) {
  const pushed: ComponentEvent[] = [];
  const timers: (() => void)[] = [];
  const waits: number[] = [];
  const ports = {
    clock: { monotonicMs: () => 0, wallMs: () => 0 },
    timers: {
      after: (ms: number, run: () => void) => {
        waits.push(ms);
        timers.push(run);
        return () => undefined;
      },
    },
    files: { readEnd: () => `paid with ${CARD}\nthe till is on fire\n` },
  } as unknown as Ports;
  const written: Bundle[] = [];
  const options = {
    ports,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    evidence: () => more.system ?? system,
    disturb: () => () => undefined,
    ...{ askStack, readLines },
    ring: {
      write: (one: Bundle) => {
        written.push(one);
        return 'sale/1.json';
      },
      shed: async () => undefined,
      stats: () => ({ bytes: 0, bundles: 0, dropped: 0 }),
      settled: async () => undefined,
    },
    push: (_name: string, event: ComponentEvent) => pushed.push(event),
  };
  const inquiry = createInquiry(options);
  const model = { watch: newWatch(0), state: 'suspect' } as unknown as Model;
  const life = { instance: 'i1', logFile: '/log' } as unknown as NonNullable<Subject['life']>;
  const subject: Subject = { name: 'sale', life, status: '', model, answers: new Map() };
  return { inquiry, options, pushed, timers, waits, written, subject };
}
const soon = () => new Promise((done) => setTimeout(done, 5));
const never = <T>(): Promise<T> => new Promise(() => undefined);

describe('an inquiry', () => {
  it('tells once, with stack and lines, and keeps the bundle', async () => {
    const askStack = async () => ({ stack: ['pay (sale/pay.js:7)'], reason: undefined });
    const { inquiry, pushed, written, subject, timers } = setUp({
      askStack,
      readLines: async () => ['last words'],
    });
    inquiry.collect(subject, 'confirmed', 'x');
    await soon();
    for (const run of timers) run();
    await soon();
    expect(pushed).toMatchObject([
      {
        kind: 'evidence',
        phase: 'confirmed',
        topFrame: 'pay (sale/pay.js:7)',
        summary: { logLines: ['last words'], bundle: 'sale/1.json' },
      },
    ]);
    expect(written).toHaveLength(1);
  });

  it('tells what there is when its time is over, though witness and disk never answer', async () => {
    const { inquiry, pushed, timers, waits, subject } = setUp({
      askStack: never,
      readLines: never,
    });
    inquiry.collect(subject, 'suspect', undefined);
    await soon();
    expect(pushed).toEqual([]);
    expect(waits).toEqual([INQUIRY_MS_MAX]);
    expect(INQUIRY_MS_MAX).toBeLessThan(EVIDENCE_MS_MAX);
    for (const run of timers) run();
    await soon();
    expect(pushed).toMatchObject([{ phase: 'suspect', summary: { processes: [{ pid: 7 }, {}] } }]);
  });

  it('tells although witness and disk fail', async () => {
    const fails = () => Promise.reject(new Error('broken'));
    const { inquiry, pushed, subject } = setUp({ askStack: fails, readLines: fails });
    inquiry.collect(subject, 'suspect', undefined);
    await soon();
    expect(pushed).toHaveLength(1);
  });

  it('says at once that a human debugs it, and then does not touch its main thread', async () => {
    let asked = 0;
    const { inquiry, pushed, subject } = setUp({
      system: { ...system, debugger: { pid: 7, port: 9229 } },
      askStack: () => {
        asked += 1;
        return never();
      },
    });
    inquiry.collect(subject, 'confirmed', 'x');
    expect(pushed).toEqual([{ kind: 'debugged' }]);
    await soon();
    expect(pushed.map(({ kind }) => kind)).toEqual(['debugged', 'evidence']);
    expect(asked).toBe(0);
  });

  it('asks the witness anew for each phase, never two at a time', async () => {
    const answers: ((answer: StackAnswer) => void)[] = [];
    const askStack = () =>
      new Promise<StackAnswer>((done) => {
        answers.push(done);
      });
    const { inquiry, subject } = setUp({ askStack });
    inquiry.collect(subject, 'suspect', undefined);
    inquiry.collect(subject, 'confirmed', 'x');
    await soon();
    expect(answers).toHaveLength(1);
    answers[0]?.({ stack: [], reason: undefined });
    await soon();
    expect(answers).toHaveLength(2);
  });

  it('does not tell the next life what was seen of the last', async () => {
    const { inquiry, pushed, written, subject } = setUp({});
    const component = { ...subject };
    inquiry.collect(component, 'suspect', undefined);
    Object.assign(component, { life: { instance: 'i2', logFile: '/log' } });
    await soon();
    expect(pushed).toEqual([]);
    expect(written).toMatchObject([{ instance: 'i1' }]);
  });

  it('has the story of a crash at once, without card data', () => {
    const { subject, written, options } = setUp({});
    expect(exitEvidence(subject, { code: 7, signal: undefined }, options)).toMatchObject({
      exit: { code: 7 },
      logLines: ['paid with [PAN visa ....1111]', 'the till is on fire'],
    });
    expect(written).toMatchObject([{ phase: 'exit', instance: 'i1' }]);
  });
});
