// Collects evidence of one component when the state machine asks for it, and answers in time whatever happens:
// first /proc, at once and before anything else could disturb what it shows (a witness's own pause wakes the main
// thread); then, side by side, the stack from the witness and the last lines from the disk. What is not there
// after INQUIRY_MS_MAX is left out. A summary goes to the machine, the full bundle to the ring on disk.

import type { StackAnswer } from '../channel/ask.ts';
import { topFrameOf } from '../channel/ask.ts';
import type { Hands } from '../hands.ts';
import type { Log, Ports } from '../ports.ts';
import type { Exit, Life } from '../watchdog/control.ts';
import { type Evidence, lastLines } from '../watchdog/evidence.ts';
import type { ComponentEvent } from '../watchdog/model.ts';
import type { Model } from '../watchdog/state.ts';
import { type Bundle, clean, inFlightOf, probesOf, signatureOf, summaryOf } from './bundle.ts';
import { readLastLines } from './last-lines.ts';
import type { Ring } from './ring.ts';

/** Less than the machine waits (EVIDENCE_MS_MAX), so that what there is arrives before it acts. */
export const INQUIRY_MS_MAX = 1_200;
const CRASH_LINES_BYTES_MAX = 4 * 1024;

/** What is asked about: a component as the supervisor holds it. */
export type Subject = {
  readonly name: string;
  readonly life: Life | undefined;
  readonly status: string;
  readonly model: Model;
  /** The newest answer of each probe. */
  readonly answers: ReadonlyMap<string, string>;
};

export type InquiryOptions = {
  readonly ports: Ports;
  readonly log: Log;
  readonly evidence: (life: Life) => Evidence;
  /** Around a question to the main thread; what is returned ends it. */
  readonly disturb: (life: Life) => () => void;
  readonly askStack: (component: string) => Promise<StackAnswer | undefined>;
  readonly ring: Ring;
  readonly push: (component: string, event: ComponentEvent) => void;
  /** Tests bring one that hangs. */
  readonly readLines?: (path: string) => Promise<string[]>;
  readonly lastWords?: Hands['lastWords'];
};

export type Inquiry = {
  /** Pushes `evidence` once, within INQUIRY_MS_MAX; before it `debugged` where a human is attached. */
  readonly collect: (
    subject: Subject,
    phase: 'suspect' | 'confirmed',
    incident: string | undefined,
  ) => void;
};

type Parts = { js: StackAnswer | undefined; logLines: readonly string[] };

function bundleOf(
  subject: Subject,
  what: Pick<Bundle, 'phase' | 'incident' | 'exit' | 'system'>,
  { js, logLines }: Parts,
  ports: Ports,
): Bundle {
  const { name, life, model, status, answers } = subject;
  const now = ports.clock.monotonicMs();
  return {
    ...what,
    v: 1,
    component: name,
    instance: life?.instance,
    wallMs: what.system?.wallMs ?? ports.clock.wallMs(),
    state: model.state,
    status: clean(status),
    js,
    inFlight: inFlightOf(model, now),
    probes: probesOf(model, answers, now),
    logLines,
  };
}

/** The summary, with where the whole is. */
function keep(ring: Ring, bundle: Bundle, cause: string | undefined): Record<string, unknown> {
  const summary = summaryOf(bundle);
  const file = ring.write(bundle, signatureOf(bundle, cause));
  return file === undefined ? summary : { ...summary, bundle: file };
}

export function createInquiry(options: InquiryOptions): Inquiry {
  const { ports, log, ring, push, askStack, readLines = readLastLines } = options;

  /** The newest question to each witness: an answer told twice would look like the same frame seen twice. */
  const asks = new Map<string, Promise<unknown>>();

  async function askUndisturbed(name: string, life: Life): Promise<StackAnswer | undefined> {
    const end = options.disturb(life);
    try {
      return await askStack(name);
    } finally {
      end();
    }
  }

  function ask(name: string, life: Life): Promise<StackAnswer | undefined> {
    const before = asks.get(name) ?? Promise.resolve();
    const asked = before.then(() => askUndisturbed(name, life));
    const settled = asked
      .catch(() => undefined)
      .then(() => {
        if (asks.get(name) === settled) asks.delete(name);
      });
    asks.set(name, settled);
    return asked;
  }

  /** By then, or what there is by then; a source that fails is one that says nothing. */
  function gather(name: string, life: Life | undefined, hasHuman: boolean): Promise<Parts> {
    const parts: Parts = { js: undefined, logLines: [] };
    const tell = (what: string) => (error: unknown) =>
      log.warn(`evidence: no ${what} of ${name}`, { component: name, reason: String(error) });
    const stack =
      hasHuman || life === undefined
        ? undefined
        : ask(name, life).then((js) => {
            parts.js = js;
          }, tell('stack'));
    const path = life?.logFile ?? '';
    const { lastWords } = options;
    const asked = lastWords === undefined ? readLines(path) : lastWords.soon(name, path);
    const lines = asked.then((logLines) => {
      parts.logLines = logLines;
    }, tell('last lines'));
    return new Promise((done) => {
      const finish = () => {
        cancel();
        done({ ...parts });
      };
      const cancel = ports.timers.after(INQUIRY_MS_MAX, finish);
      void Promise.all([stack, lines]).then(finish);
    });
  }

  return {
    collect: (component, phase, incident) => {
      const { name, life, status, model } = component;
      // As it is now: by the time the answers are there it may be another life.
      const subject = { name, life, status, model, answers: new Map(component.answers) };
      const system = life && options.evidence(life);
      if (system?.debugger !== undefined) {
        log.info(`${name} is being debugged`, { component: name, ...system.debugger });
        push(name, { kind: 'debugged' });
      }
      const cause = model.condemned?.cause;
      void gather(name, life, system?.debugger !== undefined).then((parts) => {
        const what = { phase, incident, system, exit: undefined };
        const summary = keep(ring, bundleOf(subject, what, parts, ports), cause);
        const topFrame = topFrameOf(parts.js?.stack ?? []);
        if (component.life !== life) return;
        push(name, { kind: 'evidence', phase, summary, topFrame });
      });
    },
  };
}

/** The story of an end that nobody asked for, at once: its process is gone and the news of it does not wait. */
export function exitEvidence(
  subject: Subject,
  { code, signal }: Exit,
  { ports, ring, lastWords }: Pick<InquiryOptions, 'ports' | 'ring' | 'lastWords'>,
): Record<string, unknown> {
  const path = subject.life?.logFile ?? '';
  // Just written, so it is in memory and costs some microseconds.
  const text = lastWords ? '' : (ports.files.readEnd(path, CRASH_LINES_BYTES_MAX) ?? '');
  const isCut = Buffer.byteLength(text) >= CRASH_LINES_BYTES_MAX;
  const logLines = lastWords?.now(subject.name, path) ?? lastLines(text, { isCut });
  const what = { phase: 'exit', incident: undefined, system: undefined } as const;
  const parts = { js: undefined, logLines };
  return keep(
    ring,
    bundleOf(subject, { ...what, exit: { code, signal } }, parts, ports),
    undefined,
  );
}
