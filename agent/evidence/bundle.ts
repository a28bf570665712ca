// One bundle of evidence, put together from what each source saw, and the summary of it that travels with the
// event. The bundle stays on the till for whoever comes to look; the summary has a bound that no component can
// exceed, and what is left out for it is the least telling first: old lines, then distant processes. Pure: what
// is known goes in, plain data comes out, redacted, because a name of a work item is any text.

import { redactString } from '../../redact/index.ts';
import { type StackAnswer, topFrameOf } from '../channel/ask.ts';
import type { Evidence, ProcessEvidence } from '../watchdog/evidence.ts';
import type { Model } from '../watchdog/state.ts';

/** Two of these and what goes with them fit into one event (EVIDENCE_CHARS_MAX, EVENT_JSON_CHARS_MAX). */
export const SUMMARY_CHARS_MAX = 9_000;
const SUMMARY_PROCESSES = 8;
const SUMMARY_LINES = 20;
const SUMMARY_LINE_CHARS = 300;
const SUMMARY_WORK = 16;
const TEXT_CHARS_MAX = 200;

export type InFlight = {
  readonly name: string;
  readonly ageMs: number;
  /** Until its deadline; negative: overdue. */
  readonly leftMs: number;
};
export type ProbeState = {
  readonly probe: string;
  readonly failures: number;
  readonly goodMsAgo: number;
  /** The newest answer, as far as it was heard. */
  readonly last?: string | undefined;
};
export type ExitSeen = { readonly code: number | undefined; readonly signal: string | undefined };

export type Bundle = {
  readonly v: 1;
  readonly component: string;
  readonly instance: string | undefined;
  readonly incident: string | undefined;
  readonly phase: 'suspect' | 'confirmed' | 'exit';
  readonly wallMs: number;
  readonly state: string;
  readonly status: string;
  readonly exit: ExitSeen | undefined;
  readonly system: Evidence | undefined;
  readonly js: StackAnswer | undefined;
  readonly inFlight: readonly InFlight[];
  readonly probes: readonly ProbeState[];
  readonly logLines: readonly string[];
};

/** Cut afterwards: half a card number would pass the redactor. */
export const clean = (text: string): string => redactString(text).value.slice(0, TEXT_CHARS_MAX);

/** Work that was begun and not ended, the most overdue first. */
export function inFlightOf({ watch }: Pick<Model, 'watch'>, now: number): InFlight[] {
  const items = [...watch.work.values()].map(({ name, begunAt, deadlineAt }) => ({
    name: clean(name),
    ageMs: Math.round(now - begunAt),
    leftMs: Math.round(deadlineAt - now),
  }));
  return items.sort((a, b) => a.leftMs - b.leftMs);
}

export function probesOf(
  { watch }: Pick<Model, 'watch'>,
  answers: ReadonlyMap<string, string>,
  now: number,
): ProbeState[] {
  return [...watch.probes].map(([probe, { failures, goodAt }]) => {
    const last = answers.get(probe);
    const seen = { probe, failures, goodMsAgo: Math.round(now - goodAt) };
    return last === undefined ? seen : { ...seen, last: clean(last) };
  });
}

/** `S 9, R 1`: ten threads at a glance. */
function statesOf({ threadStates }: ProcessEvidence): string | undefined {
  if (threadStates === undefined) return undefined;
  const counts = new Map<string, number>();
  for (const { state } of threadStates) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${state} ${count}`).join(', ');
}

function shortProcess(found: ProcessEvidence, isMain: boolean) {
  const { threadStates: _threads, open, ...process } = found;
  const states = statesOf(found);
  return {
    ...process,
    ...(states === undefined ? {} : { threadStates: states }),
    ...(isMain && open !== undefined ? { open: { ...open, named: open.named.slice(0, 12) } } : {}),
  };
}

/** What goes with the event. @returns at most SUMMARY_CHARS_MAX characters of JSON. */
export function summaryOf(bundle: Bundle, charsMax = SUMMARY_CHARS_MAX): Record<string, unknown> {
  const { system, js, exit, status, inFlight, probes, wallMs } = bundle;
  const { processes = [], processesMore = 0, ...machine } = system ?? {};
  const lines = bundle.logLines
    .slice(-SUMMARY_LINES)
    .map((line) => line.slice(0, SUMMARY_LINE_CHARS));
  const short = processes
    .slice(0, SUMMARY_PROCESSES)
    .map((found, index) => shortProcess(found, index === 0));
  const stack = [...(js?.stack ?? [])];
  const work = inFlight.slice(0, SUMMARY_WORK);
  const topFrame = topFrameOf(stack);
  for (;;) {
    const summary = {
      ...(system === undefined ? { wallMs } : machine),
      ...(exit === undefined ? {} : { exit }),
      ...(system === undefined ? {} : { processes: short }),
      ...(system === undefined
        ? {}
        : { processesMore: processesMore + processes.length - short.length }),
      ...(topFrame === undefined ? {} : { topFrame }),
      ...(js === undefined ? {} : { stack }),
      ...(js?.reason === undefined ? {} : { stackMissing: clean(js.reason) }),
      ...(inFlight.length === 0 ? {} : { inFlight: work, inFlightAll: inFlight.length }),
      ...(probes.length === 0 ? {} : { probes }),
      ...(status === '' ? {} : { status: clean(status) }),
      logLines: lines,
    };
    if (JSON.stringify(summary).length <= charsMax) return summary;
    const isShorter =
      (lines.length > 5 && lines.shift()) ||
      (short.length > 2 && short.pop()) ||
      lines.shift() ||
      work.pop() ||
      (stack.length > 5 && stack.pop()) ||
      short.pop();
    if (!isShorter) return { cut: true, topFrame: topFrame ?? null };
  }
}

/**
 * What makes two bundles tell the same: who, in which phase, how its main thread stood and where. Numbers that
 * differ each time (pids, times) are not in it.
 */
export function signatureOf(bundle: Bundle, cause: string | undefined): string {
  const [main] = bundle.system?.processes ?? [];
  const { component, phase, exit, js } = bundle;
  const end = exit === undefined ? '' : `${exit.code ?? ''} ${exit.signal ?? ''}`;
  const where = topFrameOf(js?.stack ?? []) ?? '';
  return [component, phase, cause ?? '', end, main?.state ?? '', main?.wchan ?? '', where].join(
    '|',
  );
}
