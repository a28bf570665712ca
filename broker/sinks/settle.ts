// Finds the bad samples of a refused request, so that only these are buried: Prometheus drops the whole
// request for one of them and does not say which. Pure: `next` says what to send, `accepted` and `refused`
// what became of it. What is too old is so for everybody and from one instant backwards, so it is looked
// for along time, with growing steps; out of order is judged per series; the rest by halving. A database
// without an out-of-order window takes each series forwards only, so the older half always goes first.

import { ALWAYS, between, createFloors, instantsOf, type Parts } from './floors.ts';
import { type Bury, countSamples, showSample } from './parts.ts';
import type { BadReason } from './verdict.ts';

/** Nothing is cut into more tasks than samples; a bug must not fill the memory instead. */
const TASKS_MAX = 10_000;

type Task = {
  readonly parts: Parts;
  /** Instants to pass over at the next refusal; undefined: its first instant is not known to be bad. */
  readonly step?: number;
  /** Sent alone to learn whether age is what is wrong; what is newer waits. */
  readonly newer?: Parts;
  /** Its oldest was taken although age was said to be wrong: nothing follows from an instant any more. */
  readonly ageless?: boolean;
};

export type Settling = {
  /** What to send next; the same until it is answered. Undefined: all are settled. */
  readonly next: () => Parts | undefined;
  readonly accepted: () => void;
  readonly refused: (reason: BadReason, sentence: string) => void;
  /** Samples accepted so far. */
  readonly taken: () => number;
};

const isOfAge = (reason: BadReason): boolean => reason === 'too_old' || reason === 'out_of_bounds';
/** What is wrong with the series and not with a sample of it. */
const isOfSeries = (reason: BadReason): boolean => reason === 'invalid' || reason === 'limit';

/** What follows from a refusal. `floorMs`: up to there the same is known of all (age) or these series. */
type Outcome = { readonly bad: Parts; readonly floorMs?: number; readonly tasks: readonly Task[] };

/** The first instant is bad; the rest is tried without more and more after it. */
function passOver({ parts, step = 1 }: Task): Outcome {
  const instants = instantsOf(parts);
  const [firstMs = 0] = instants;
  // The newest at least: if it is refused, then so is all before it.
  const tailMs = instants[Math.min(step, Math.max(1, instants.length - 1))] ?? ALWAYS;
  // Should the tail be refused, too, then so is the middle, which its floor buries unasked.
  const middle = { parts: between(parts, firstMs + 1, tailMs) };
  const tail = { parts: between(parts, tailMs, ALWAYS), step: step * 2 };
  return { bad: between(parts, -1, firstMs + 1), floorMs: firstMs, tasks: [middle, tail] };
}

function halve({ parts, ageless = false }: Task): Outcome {
  if (parts.length > 1) {
    const middle = parts.length >> 1;
    const halves = [parts.slice(middle), parts.slice(0, middle)];
    return { bad: [], tasks: halves.map((half) => ({ parts: half, ageless })) };
  }
  const instants = instantsOf(parts);
  const middleMs = instants[instants.length >> 1] ?? 0;
  const halves = [between(parts, middleMs, ALWAYS), between(parts, -1, middleMs)];
  return { bad: [], tasks: halves.map((half) => ({ parts: half, ageless })) };
}

/** First its oldest instant alone: refused, it is age indeed, and every later refusal says the same. */
function refusedForAge(task: Task): Outcome {
  const { parts, step, newer = [] } = task;
  if (step !== undefined) return passOver(task);
  const [oldestMs = 0, ...later] = instantsOf(parts);
  if (later.length === 0) {
    return { bad: parts, floorMs: oldestMs, tasks: [{ parts: newer, step: 1 }] };
  }
  const oldest = between(parts, -1, oldestMs + 1);
  const rest = [...between(parts, oldestMs + 1, ALWAYS), ...newer];
  return { bad: [], tasks: [{ parts: oldest, newer: rest }] };
}

function refusedFor(reason: BadReason, task: Task): Outcome {
  const { parts, newer = [], ageless } = task;
  if (isOfAge(reason) && ageless !== true) return refusedForAge(task);
  const [only, ...others] = parts;
  const waiting = { parts: newer };
  if (only !== undefined && others.length === 0) {
    if (reason === 'out_of_order') {
      const { tasks, ...outcome } = passOver(task);
      return { ...outcome, tasks: [waiting, ...tasks] };
    }
    if (only.timesMs.length === 1 || isOfSeries(reason)) return { bad: parts, tasks: [waiting] };
  }
  return { bad: [], tasks: [waiting, ...halve(task).tasks] };
}

export function createSettling(request: Parts, bury: Bury): Settling {
  const tasks: Task[] = [{ parts: request }];
  const floors = createFloors();
  let orderSentence = '';
  let taken = 0;

  function buryAll(parts: Parts, reason: BadReason, sentence: string): void {
    for (const part of parts) {
      const { terminal } = part.place;
      const count = part.timesMs.length;
      bury({ terminal, reason, sentence, count, sample: showSample(part) });
    }
  }

  /** Without what is known to be refused, which is buried. */
  function above(parts: Parts): Parts {
    let left = parts;
    const floor = floors.everybody();
    if (floor !== undefined) {
      buryAll(between(left, -1, floor.untilMs + 1), floor.reason, floor.sentence);
      left = between(left, floor.untilMs + 1, ALWAYS);
    }
    if (!floors.anySeries()) return left;
    return left.flatMap((part) => {
      const untilMs = floors.of(part);
      buryAll(between([part], -1, untilMs + 1), 'out_of_order', orderSentence);
      return between([part], untilMs + 1, ALWAYS);
    });
  }

  const push = (more: readonly Task[]): void => {
    tasks.push(...more.filter(({ parts }) => parts.length > 0));
    if (tasks.length > TASKS_MAX) throw new Error('bug: a request was cut into too many pieces');
  };

  return {
    next: () => {
      for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
        const parts = above(task.parts);
        if (parts.length > 0) {
          tasks.push({ ...task, parts });
          return parts;
        }
        push([{ parts: task.newer ?? [] }]);
      }
      return undefined;
    },
    accepted: () => {
      const task = tasks.pop();
      taken += countSamples(task?.parts ?? []);
      push([{ parts: task?.newer ?? [], ageless: true }]);
    },
    refused: (reason, sentence) => {
      const task = tasks.pop();
      if (task === undefined) return;
      const { bad, floorMs, tasks: more } = refusedFor(reason, task);
      buryAll(bad, reason, sentence);
      if (floorMs !== undefined && isOfAge(reason)) floors.raise(floorMs, reason, sentence);
      if (floorMs !== undefined && !isOfAge(reason)) {
        orderSentence = sentence;
        for (const part of bad) floors.raiseSeries(part, floorMs);
      }
      push(more);
    },
    taken: () => taken,
  };
}
